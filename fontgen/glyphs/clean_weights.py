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
MEIvOuM0+DhLRCg+pT4nNao7wTWQNKs9CTJkOwg5zTncOfonXUoDMyw/qzpbRBI0GT3GO8dBWEfhQIo/NTzjQTJEikmRSNZBiEqjM92otji9LFW6
X7KtM1OxvzG6twq4+ahYsbGtBygkvBW9hTFNIjK1Yq+CtnkxNrSUON+xl7nXM0O4MLUcpL4qsz46IAedXbBLrbS2S6/vKb04oDUpM66yQbEduDw8
KDLKuOYxUipptzY37TBWqu+oeCuGs4u2q7HtsJOsD7U2vNuz2TnGMSQ4PTVttXY4f7QVtNu0aTSLMmclha3TudUgz7nMJ381waVcOkcxVSifMNYu
ODW8s7c4ujWuNXEw+rBWtU8vYLGUshe5nLQPtaYxUyk8MGMeTzAlszw32KygOby0opUVOamkYaukNMg6WrRrOGq2N6yjOHAwDi/LrbagoDMBsTq0
minOLhA0/zERrBgwP67PNty1ta8uNjkyRrcFs4m5tTiINV+szbfCse6rFbaWre8urzF9uqElYLtouTc7lDQqtNsiFwtwsvMyAS4gtIUsSyzQqpe2
KLAlreq0Xal2MwqwHjfmuCQ4jTU1Nas08qw/NOI1d7YRtiC6ezAYOLcosrK8sxG5ninnLea0eDaTrAyyhMJas3800RjNmHs0hJyvNDSxHiUVtWo1
mLUQroczYDowNUGsDbPCMyCz8C+ergMlRa8SudEsCDHxMTo7OTaGNOI1tbjoMTa0vLSIMhKxuynyLsQ0rTdwucW4Ka9vs0kc+64TNLk06Ce9tewu
lbZrNaavXbRDstk4ebQ4NrI2FbqDs2Ux6zEROPKrNLTLq+aueLTerFo1aqR/NAisELUMuRk4vDxmrIo3R6/xM1o7dzX5t4SxrThQO6m6wSpkqC0q
aDbbu0e0TTifr0y526j3s/mje7ZsM8c2wCgTLQs8e7oBseWpRzDZNGiqDrgkt4+pTL6NrJmuFyqQuKizbCnyp1iy8DaBOBO2L6eduC+0W0DCLWUx
HqI6NeeoWDALtDI5UA3oN8o0WbAGud06kTV/NPu1WDGmpku3T6xILCS4WLU7tsAqojYhMZ47HrhUtB25AS9GNZ4xWyxZtHa3tDwMNNQ1uysDPJ+t
qDSMMwoxsbYmOI035K+RNeKvCTDyNci23bGZN1ivdzBpNKA+trRAPLksZD5nqSS5eaxXtaYvLa0EKjW0SLWgqlKsOqiSNtawADLBNjk4n7w6Mngt
erW7sZC4eTCcrlkvKbfdJQepVawwsIk2sCkltC65AKxMtvi3IrkXtBqobDk2tKUsBbQLs/o5PiEuMHyqVbKEsEWx1zXWucA2aL1gtDg0f7j1NFk6
DzL0uFq4I7qMPeesXTiJOSA0arkQufUwMryOJRa3trmzuDa477THtb22zDPWuI8wCrC1KiI1YbMWMBq4H7fTM8E4TjXauZY4KSrkMMc6ALQjrwoy
UbIsOxQ0rSdZsT+1fq1puHkusjY1sAkwszLguXSkFLrrNlS4zThAuHmwRidROZw5vjgBMXU4VDW4Nc6lwrmRORW3+S7TuB021jDtqkG4ZrTAOly3
7zl3vKQ25zU0OaS2+jg2M2k4KzWyrVi53LbBIxW3hjaKuncyZjH2MW2wjDQfOZi4YzrWuAq45bp8r+q0OrH9tny38zECKwSyrzdSNgo0yzAuMNm5
kLcVOV4vUTX7ue84MLSTNiw4ubBetkcyerrLspmsxLMurfw00CvMuPUzH7lSOWgtza1ysaU1tCT0tZ46N72HN3MiILcjtPm0sLk8tAK4EbeNsVoz
GzjutNQu4K7ULju1jbcBLBA3Sy9Quxw1eLPaO/u6vrCXrim34zVNu421fLFNrks4tTEqN9owpLQeNdO4XC5iOs4razphtdg4MrmCM46iRictuqy2
+riVt9e4E7P7toi1sThVs0Y52SmTOOq2AyWZM+40XihVuRw7z7iPOl84Gx5+Nx+2qTm+NxA0rjhqNdi6i5gOMl+uwzicuxEsO7Izs2q2+DCOOtqx
8zwuuK81rzN6O164IzEXNsM93bTYOnyyYLXFtNYurza2s8eu9jSvurWwxrh/qlC5bzqsume4azIcOiCyiDuDNAA1vDdVN7cturjxNP2xOzhauA41
mTbzNmm2TTjFObS0kDCuuHy04biDuVm5kRj3OIk1NzbfOtO48Ld/uL68bDvLPC85LLvguE65d7yYuk08fz0gOtYw
"""

_GUIDED = """
MEIvOuM0+DhLRCg+pT4nNao7wTWQNKs9CTJkOwg5zTncOfonXUq+OQw5XDoUQLFBXrcDMyw/qzpbRBI0GT3GO8dBWEfhQIo/NTzjQTJEikmRSNZB
iEqjM51CVEFOQ9I4VjgdOSI3hTnoM3StT6hVp4YxNzr4tjitCbTLNCg4+DDgM2Itha8EM2O1kS4kLc8sVxortcE19C3GMNgt5rwVLds02jDnMZW0
vTJnMR6whzC1tGkwsbCMKWOpfrgQMiGysyyvu2K8/rhgPAIcmDghtnA3Q7ZRMkGqqLcDNeUnxzM7saOqRbTYsDis0DZNM+uusTHdsYG0CKsoo88k
HTh5rjk6nbiAqX422K9GuKI0BxT9rNy2wi5IuvuvhKZhqZU1O7jhMOCzJbSItjyxCjCJNGSm4DnjuAgthS1au28ngjO4s8owybqRrXA0+CrJMK8y
9TTtspCXYi5aM+055LoFvjwzSrqpqz2+NK5pOD6krDQGMT0l+C5ENpc00ay8K10kL7S8MsOyODF1L06sySfEpmwx/bYCpa20MjgwsPI11LimOMwu
QLHWpoS6GLlwtBS88K1UN+21fSyOs2iw7DfLsHI1SbFItaK0LLK1tPc3kDPduC4N0Dvpr5+uG7bouOI9jDdOs4SppTh1t/OydK+/L242DLuqsEws
EbILvNe1bLJVtqg7GigINeAnNK53oR6tzyx3sv22nznHN2CwZyx4rCAw/bYBqBkwaDBsrSQwtbLqrKA4rC5MmXI3bKdGr2jAG7GZNHKkzrACsSws
/LO0MlKhybSmMryd+qzRrOciRaA4K8sx+5uMLqmurqmdsCkpqy1wLHmxppllM2coJ6a2O2KymjjnNM6yKsHdK/E0CjAQNHMo8riisBS1sDKBuZGq
RbQTsieunLH0tlM5TjYNq8g2+bYYpf8yS7Z9M3MxdDKQLFq49ynVtL8vlTehOty5hrlEvD80AZzMJRuxMrcppjy1RCn9N/SxV7Z4rE40haPTN6U0
yDEptJEvQ7hfO041/bcmMqygpLgxNU4w+7O2L3UwfyqSs7Ur5KwxJY4ysqERtBu0w66IN1owrTmht/ywvLgCL8a03y1AJs61ArdpPd807KX5Kssk
QbKwiK6287L7tuExEC/zK586hzILPQCyK7rcrTM4xKsfMIwv97ersqooCCS6sFwm7bJLrrUvnqmwI92r9yktqsusY7DTLogwoK8XN7Qzp7FcLIgs
JTOpMbew7rN3JmktYzIWtuIwgCx/OP48hTw9vEgt5rPZuPC2LDlJtqS4eCsTtIQl4iIGtBg5rjHPudErvSl0tDQxWLGsrJasALUVsjs1ADAEMMs2
dzgDpxwwway4sGawjLc2tp23GKonoHGqZLaLtqe0V7iauQWyNjFePYg2Q7JCs/0sKzQmqSunZqEFNFQk7C53NY+pUTnrt3ewj7bTOHo+Qrj3LMs0
LrBfND84BTcYMKG0uq25KFk0zqsjLRW0UzlmOc4kBjCXqIug5T7lOiyvTiCINi60eDRWLcYsoSjzsAM0dzgMLnI716wDNH82lbo/l5Sw2pQzLkw1
NCcHsRu3X63SrXw0z6QXp4OyqrZLut6yBKmKLfA1LbY0sxIwoLMDtHu3M7dbq3G0krUvLUUpyLDCNTC0tTyROp4w9zg2vMO1U7IRMCgoCCQ3tgKq
z7EyscQthDTHtEC1RS9GrBkz9S4CN5q3Arfko5y0+KwssqwyUDt7PFy77rgKvFk8frYWsEu1aKl4sbMplzdxuyCvbbV5ss05WT89OF84LDpgODY3
Mq3dvJq1M7wGNjK3LblfNMoy5bpOrZ23nj0JrHwu2C00sAE5DyjutuawyDiGtUa3oLFbOq66zrKMt8M2gDaNtki0y678tesy+rVoty2wdbboLVW5
+zl6OBYxpjS5siI30bW4uP807rewNCw4dK2GN2kwILriN4+5rzjnNBMvIzv0uN8z5bZyqvWyubgXuTO4jjEgN3+yErZ5LNYxhzLRuE+5Rys8uAI6
07knL6u1CrSJNKS3kKkSNas0v7MkOgk3pS0goZcvkrVeLXa2CSx5M5C2V7oVsQasFDfgNyM1QzoALOE7rLeauCI2VazRt5qx5jWhN0s7ijZZMgK7
nbnpMz+tZzSWNVuuSjhAOKGxFTp3Lik4Brxatx25nq1mNZK6ITStOQAtEy0TOJ60GDCQOXo1nLUPMkOzVTfEiEuqrztKq5U6zLmdtQq07bgcuE+y
CTITNW0v6zX2uDG0aLaXuMKp1jiXtCkwYrKHtfC0iS4aOiC6LTqMNWE2TTjqOIG1JLdJta+4uTLRtDs1Xzg1t3gwAjJRuuc2ZLkDtjuzBbfON+m0
SjgkNowtqiyeME8wTrO0soQ0wDr+Nhi5yLTbNb42Pqf9sxowKzyWOAgsTTaMNgk0vLtftmEuvLkiNWcZyLDcNMA5AbeIOJK6XrQCK102UzSlN0y4
XzSXOGE5LzqitYk2ybS2uY2yli/kM560W7B0NFc4xS5zM0Mv9LnyOQuxabUaN/6wyDrtMjo1LTgZtiw507hNuDe4ZrS2sSu34zdNOOcuXzc2sf+0
3LUkuY2zFDXhMUa327eXp5s+bLuvPAC8LzwBOjA9NL2+uZA86ztcPEUy
"""
