"""Two small networks that tell a defect from a true counter, from a gap's measures.

Each is 24 and 12 tanh units on standardised measures and returns log odds; plain numpy evaluates
them. They were fitted by `benchmarks/repair_fit.py` on gaps of undamaged glyphs and on injected
hairlines and pinholes, several typefaces together; the benchmark tests them on others.
"""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HIDDEN = (24, 12)
_RANGE = 4.0
"""Standardised measures are clipped here: a glyph unlike all others must not be judged by extrapolation."""

Floats = NDArray[np.float64]


def log_odds(measures: Floats, *, guided: bool) -> Floats:
    """(k, m) measures -> (k,) log odds that each gap is a defect; `guided` ones include the source's."""
    mean, inverse_sd, *layers = _network(guided)
    x = np.clip((np.clip(measures, -10, 60) - mean) * inverse_sd, -_RANGE, _RANGE)
    for weight, bias in layers[:-1]:
        x = np.tanh(x @ weight.T + bias)
    weight, bias = layers[-1]
    out: Floats = (x @ weight.T + bias)[:, 0]
    return out


@lru_cache(maxsize=2)
def _network(guided: bool) -> list[Any]:
    values = np.frombuffer(base64.b64decode(_GUIDED if guided else _LOCAL), "<f2").astype(np.float64)
    inputs = (len(values) - _HIDDEN[0] - _HIDDEN[1] * (_HIDDEN[0] + 2) - 1) // (_HIDDEN[0] + 2)
    parts: list[Any] = [values[:inputs], values[inputs : 2 * inputs]]
    at = 2 * inputs
    for rows, cols in ((_HIDDEN[0], inputs), (_HIDDEN[1], _HIDDEN[0]), (1, _HIDDEN[1])):
        weight = values[at : at + rows * cols].reshape(rows, cols)
        at += rows * cols
        parts.append((weight, values[at : at + rows]))
        at += rows
    return parts


# little-endian half floats: means, 1 / standard deviations, then weights and biases layer by layer
_LOCAL = """
WEIfOnQ07DhXRBo+1T4mNbU7rjWZNKs94jFsOwM5yDnjORQoHEtGMig/hjpaRJ0zwTzNO7ZBGUjiQH4/cTzwQVVERUlsSK1BmUnLMk4uGTZeJL4m
jTX0MAQshzJkPcq3dq0eNeuzFbo1rBg3W64kKiI2bp0lINA0uLuyNaIy76X2OE68/yjAKlkr7jKurJMnubKmJx4kLzNlNQs0QjYvuISkNa+VutKk
J60lrUKUZTYmOek0V7Y2KvcheKaltZ0sUzSVMHq2C7rAvP4xTTmyM0S0GqTZqN4yyitsr5e23qvSMJKspb/SMiG55zD9vpuwwbBruw04pqkvtK0m
OLi2MCU23jZzKOaqrLMhLdcz7TTntKSzbDETrCq4PLeNuYeqAKk9sTordi7PtQU2R7CjPdqp0beEtTO3UjDSMoU0JbiUsQ0yGq1zEwoqELV8sbQx
sRhSMaQ3+y3jsZim9rsHMne20LDOO0s2E6sjMT6wNzXzMPwth65Bsqy3vaqKqYI5UrSIveW0R6PrN3+0g7pYPN0vrK0ItnI0FzATuLkq9iisMccp
QqjbsHmjUzRDs5I0xC3QMS827DJKMbwbZbJ5PBw8ArAHLXE2CzTmMjg2Z7EcuSYzv7o0PKs6VqGdMHe5rK4Gum+zdbYEJAcs1hxwKMy1qjUfuG6z
vDS3uQsUFSd+sDmoiy0uP64wp7GeJu6gsKwKrY28lKXqtgqs2ri/OBq49LHLNMe6ha1gM+UyejVGMXS4a5aHHtYz3yr2tFowWLBnrBY1RzO/uPy3
aLhGND0pDbhrqFYx2LPSKc82pTXbJWSvuKnIN/GgSLOBtu+vjCLMLZI0LC4REO+1jxXxubI1VDFFqRw0KDjhr/8u8bgaMJanY7c1skIwu7NJnZy2
8TIDu8a0IrQYtHs1qSXKtU8qt7d1NFsxCa3WuJ042Tf5LAe0BTa9uBosu7pKssIuxrE2KSKwL7KftNSuybIgr/+7PK1TO3uksSuDsgizAz1iNSKu
mSxWNP8sobSOuHc2wDHHOog0qLQpumg03qZDMsGxMbCnrBk1siRitHu2M6ygLHs4DrHJNso4Y7zJMfe0ejIiqayzPDDTsqM50jfwMjUt+jYKNLg1
/DZZOo8sAD2cOJozYrhHJiakzC4YMQUwUqgitf+th64aNVs5WarMMqMuiDyLNvK0kSPltWsoxLRytFyyDbnxNP+xna9Wtci2YDiXr3czAraBLRoq
9jWKN+KzaDh5Mo8uubBlNu81dStCsNYt3bHbtY24a7Rkr0y0urVAsTC4rzrGuCSyKrN1uDA5irQiN+OtZKMKts0oTrXtsCI4LboWLjU48DGgLpE4
GDVONSSmsLbqOYk8QbZINts2P7DltWSkubUrN8OwkrdJuHSzwrwJsac0Fa1WNWA2BbiqtvI5AbgqOHMwYrM3OD44UzeptUw3U7QFNAQ2zTTMMys0
RTrkOLG1jjRftj64qDWAM2255zjztPWytS8Uuce0Mrf4Lmq2OjjWtGcygjP6NqA7tjggPLi5QjqNuGS4nTFhNdy2Gjhxt9G0T7jYu5C86bgfNFC2
wzWRt544XjEUN7c2DjkGsl60fzi5uj+2+DWaO325oTPquUq7kTlFHLa1cy1QN8W4QzFutBe4EbdHs2WyrrmAuaixWbPOIp00+rROtGA80LhbNgqq
QbkyO7k3lDWntKA2i7EcN8q2sLRVuIGx5Lk0jDg35LfiNGY2/be2ueQ6jLPiN1M5xLQRNPk3/CwBt0s4a6pWJPKsdbZrtB24hrj1Fyc2+rYNNpEw
R7VHu5k5q7RZNVs6TrYsNFQ26ifEt8o4u7aKOA61U7WfsOS4FrTHr9o1U7c9Nwo4aLTut1SsmrdqNUAgyrBLOmc2eDY0s3Q2GbZRKvE4KDUysSg8
UC42KOi4QzYdvJu5AjdkOGARPTqZrvW4JrqCu3eynbevNScp5zaksvM2cTcyKFo7uq3jNDC6vDbPu/+05TcoOBWwizs3JDa4errZugS0DLdhMF0o
ezjRMSooL7fNtpO6uLhTMZk4/rpDN/UzSrY/ulE6LzTjOPo8yrUnMY45NTE3vIg6RLCOOks4djW6NoUu5znksz+5UjXEtBKx1zGrObu4PTYxuQG7
UDgXLbO2LzQSOUK4yZ0/soIvKLT7rqe3AjX7NFU1yKxOMQSwWjqUtxe9MzsdO6k5ErwculG5QbwSPOw5Mbm4OWks
"""

_GUIDED = """
WEIfOnQ07DhXRBo+1T4mNbU7rjWZNKs94jFsOwM5yDnjORQoHEtvOv45xzpWQsJDRjIoP4Y6WkSdM8E8zTu2QRlI4kB+P3E88EFVREVJbEitQZlJ
yzI1QyNCwkPJOiY8aKSaN0K1fDW8qFi0HziiMC0wjjC7pySyU8Avry4y76ytsd8iuSjeqTkwtawKrcuvq6xIMWsxHa9FtcahKS12tAm0A7jvtZys
Mq/eNe4xVbHXN3+r7DR4uCG4Jy0xqEs02jtZs284kzhCQMs4drPOscG4KTCys0OtcLN1tX4qULISKs0uz7G2siowfxYWL1smOi+rNLQwjSwRraaz
JjERuLEhzDj2Lxa0bzoTuVQ24q77OEmtmja9qgm1GS1GNOQ1/bS+NlKwcjCYFyM0yK6iNReomLg+sOyzCTMrMdS9fLuUrC+w/bWtMPoxqq2dqdOw
T6oNKyO04jPDrt+sNp85q2U537UrsggsILryNB20SzeVsQw0BryYOfEtHDgEOA80eCzfNsQ3y7b1tPW8u7flqL2u06++MdWxUTN7ragtS7ZyLQAy
0jRNKdooLqFQNfSwgaS/NWk59TWFsLc8MbX5NSktGLg5tAS3GTLVuisw9S6eNl4soi6qrCOyMSr/I1839ryYJXu2Y7bVvOk4GbYOtjqyj6t+Mfkj
DRucNi6xCri5qzIo7zUXq7gtWLMhK52t0bBDtGwz+7SwNEkzPywYLgI2IrVhsLoiEC0UKh03SjMrNr03j7OItN+wB6yTJxU1ySmerBskVLq8r9et
kK1xtz+8PjrTqPQaTzQlN0+1SLPtKrwtfDFVsAcwQSyarOwvaKT1KmIhFbw2Lc4zvbegMZAsqylDsNK05DooIvm4nqjAtFK1Xq38LqYwSa53KZcy
8q59rxqwRzkfOyU7UbaxszC3liRTLi+zI61jKAA2uzjhM8m1Ly8smt0rqyXHtJk0WLOjtyatWjRtKToxcTHiOjU2qjaiLV00DzQXqsEwmzZFqj+p
t7YwuU6tTDCTNe84ajbWOyE2Azj1sBk7VTiyM+202SVYMpsw2ipdNImwxbXcpL2yejEmMmiwcSzWrjSyxjSZuBa5dbnmtHMuvTtyta679TTftbGX
XK3SJw8cRi1+MlAwWi+rIXUkTqpjLRq16TmqsqMy2TPwO+utiTYiNWC4IDImrRI1frAgNk4sCTgQMxAwmjDUNe0xiq/8nlitoLUutES1Oyd5NUWx
+rBluDuyKLYIJ2yiLLX0sVG2aKgzoXCjBjhZsE+sSjRHr72o7jYoFusfWTm+MmmzXSs8OYY06rsxr4s0prcJNfS6u7QwNBk0d7QLLFUz47BGJlMv
ADQ1MgCqaTBFNPw08itZvNK6mzRXsn4yBbPrsk843zk6LNOvETj1sK+2LTTjt+cygaqnKGkxmbgvrjK1vC2JOLMxGbGUsOiwATCcLlCrITantYmx
RDScOcmxh51Xse+oKTgBsCMyeKjmMWKnYbP3MJW2t7TXsBg0n7YUrkGz5DL1q6E1TDt1sX+zfTIIre+ujStlNJ0z0TiftDKirrJ0un+sSbMot1ar
4bdMMEK1uC4rroOvPjPqs+cweaUcsR4f9K9Itu2fbDFOs5gt/7Knsrw007pwtSiu/636OlkwP7KHMTaugrSALA41b7JEMBYw67jSMPuutqkSutGw
IrkSMTI1vrqXNjGvPzQWNZ+1bq5wuhY7YzLtsUC4FjeLN6w3jLmlK7G53KgfNzyyuzjUMpe30zNush03zbKNtsU347IOOGe2+i9Dr2Uz1zNvsQi5
frGasRu7b7abOd0vajiUM8osxDG9sR2kC7oguNkuLCVrn/CwDDNGtBa1Eq10tAOo3bSqsoGxNrSCOGa4fDf3K0q1xjaKsJM4ILhgtos3m7bANzqw
tyQ/MTgzBDg6tm64YrneOX21brnJOdyxXjWLNKax3DM/ufEuQ6yssWUwULoPOOi0hDYmti85LTZ8tKKyhrhVOM+zrLZcOaG07KHWNIOyuTLvtsE1
BrgIKH81Vbj5oUG27TmquBowfjVfrUozxzrJpVM5Jyc3sCs0B7rfuB85Kbn/NvS36DdnNHG7Mzi1tJw1pysaNQK75CZ/OT03TjlhLiU8WqO/tiEx
WLjgq+Y0ezA0Nd+wlTUjOn+zYChPsl02T7Z7Nf205LQzMME14zhzsHU4IavAJgQvGrm+tok5MrklOW+5CDTuNfi44DMntfo1oSxWL4O4uy3/N0A2
gT1ltdo1rDqEvGatHzELtzw3F7ZEPIkyWDYHNIOxFzgQt7E3zLhiOyG2Vrj1Nh4tsy0rrW088TaUt3kzCrb4uIMy4LaqNU22bzWTODixPDc+tT8z
krbqMHy3U7h+LNk1+LNQOFu72beAOPexgjdeOJe0STdauAk05bVduGo1CrlINpy2QTc2t3w5TzYStKGybLk/pAW03aojqkS0EDwnNIG78Dr3t3A5
Q7dorUc4QrV9Myy5iK4mtaA7k7A9ubW4ebTuJRG2Saj+J0I4pif6NrywZjQusL22yDsMPB871zvsO9W5Rbs7ugK8RrxdOg49JrA=
"""
