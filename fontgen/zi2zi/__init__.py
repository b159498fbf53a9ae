"""Everything neural: networks, losses, training, checkpoints, inference. The only part that imports torch."""

import os

# Threads of torch's OpenMP wait for each other at every layer, by default in a busy loop. On a
# machine that does anything else at all this makes training several times slower. OpenMP reads this
# once, when torch is loaded: hence here.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
