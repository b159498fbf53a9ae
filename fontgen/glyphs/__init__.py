"""Everything raster: rendering, image folders, pairs, calibration, repair, registration, the gate."""
