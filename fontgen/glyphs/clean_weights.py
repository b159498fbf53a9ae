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
QEImOqs09ThTRBg+vT4fNbg7qDV4NJk9FzJ2OxE51znXOaknMkuYMkE/qDphRIczJj3HO7xBJ0jpQJE/cDzaQX5EsUmwSKhBEErMMbg2ZjgENDA5
hzVMsfid0jQiONC1TyihL+u0QLH6ra8nG7EoKm85KbCXN683fr3ILNYoKrCZNA68iTYxs4as3TGVrXkxx7Gfrw8sxDSaLl02nzImuwgzbrQZtMmo
LzkFLV4xcTDBO+U1KrpJtC+yCTE0szGu36pgLDy6fC9oulaw/TxyrlS0UqIipu8z9B9mNFK0zq8YqE6u0cOPObS6I7STvZG5my2MtBW0cyzIsfOn
wTSBNcMsXSijrSm2Fy5csKw1OzVoKuM3zS22NIa337iRug28srINtLSmqjXdsgAvzyROPBE0m7Tdt8gzIjKCObI0f7mbvak4SzNfIi+tJyx2sBiw
/6gCuaO1TCygNi0x0bVmKyS6XjFFOmY6r7qJL8a01zQbOP6l97kxuES95jA8NNM5sLbivXq1ELSjN362ZLn1Ow+Y3CUrtFYu3CZHts0k6SgNMlM2
2zNDshy5bSo3sb4z7bVXL/84B61INL0pKbFhOYQ8oTRSr1ksJzf4OIQnYDWoIB+xcL5COjM2Ki0UMausDrWstz6jM7V0MBupIh6goiWsazdptayv
PCInuNKxHTJKqocxcidLQSWp8bZxqSAvDqpqrPy8eZ0GtwYsjLkvNbu5la+ZMFq8HSoxnDU0IDcYNFaqcqxVs5Cy7qcUuMAwGrTaM1s4EKt7tkK0
rLaDrae1ArTrrk0y1jkVNCE47rZ3sGAtnTLZMCM0RqXJtwix0an6siKzoKotNDW8MLButOk35z73s/GkNjxXqys2qrg4sQEmG7qhJBY0hyjXs8q1
pjRuuqe3T7EtLMougqoauCw1DK3+NJWx56/etpWzdynkpN0mEDZOLgc6OrndtbK13r9VMMuzCx9rqWuw16myqJW3/CWBOI+tTjDHt+akvT/IrE+z
3C/hLPgy8bHiuGU13CyxOc+q4a7tLlmzKa4Tq7W0tDV6tA2xobhhtXg0aDi/umo0UDmFOCM7Cb4Go3a1Ozdetvm1qrJJuP41XTyVKGSrcyf3LUO0
cjUsOmmzID+eLvIoT60dNU405inyMPk0ArKct6kqqC2vsTM/tLarNYUs7TlYNIOufzLDNOUtFDdLrZo1QrbTq7m7bLLzutCoEza4qvIydCwdLlcz
A7KJlvy0tTcqNeEyV7nYOYwtcTcirparIblgMny5tacTte4zorcYqDi84buNrC8wGrhlOLc2SjiHOpux5i4OMRK05Lj3NsU5vrjEKdoy6TLnrSY3
9bLKND8wY7jUNek8U7RkOTA9dLKRu2E4MLzKrDGyNLZGuFK7erqXMvUseC/cNQs3NLOHumU6z7XcOVMw8rVaNAk1Njj0uNs5LKaSOCmsYDXIN185
NTv8OCS82B/Esqu4UzfiN/+2rC6QMDA0urfruOi3IbnYLlm70DYnNlU5objROU48gjKKNlK7jTr0uXizrTYRPGq0bqyjuD29l7PwHLu5h7yWOMW3
QDKmuKg86jlZtIk6ITUVN/8wiy78vBYipjRsPGW8jzjktZO6YTnyMTa1DDgrKPy4dTk6MKu2mLUiuLUY7LoruJw1rKlXrHA3pi2wsHo8FLhhN6e2
7LK1PJ41sTcZscg5GSjGOBq4wrybsIO6SbbmtOSnGa6aOCEoJLhjvCs8drZZOhE4VLpgoas1LrJ9uAs477iksVKzK7tBsH+56rtarTI0obCTOiqY
vbbpuQY26q2oN3c5j7mGMdE4qK3AvOc3KbleNHy1j7rOsZu4jBrmuPqtXLE2NZo7BbqMur2xobtvNv6xnanTOhywOTkkuL84T7gss9007rZqNYI5
gjCRuNMsBjrJuva9PztBNCc77zl9rVi3N7jhu20w4LIfOtO3ajR5vGgzhTPwOMClpS1SOoS3Xj2KsWW0Vjl/POI2pzi8u1e2jbyGvBG3Q7hGMicw
sDbZM16zKLjfuf66/Lhxt7M55rllPBk1uLect3w7azgLOd08RLResCE8oajBvPsyD7AnL1Q7PDA2M6W1uTh2p3m0PDSdu881mjQ2NWK5kDWDLCW8
8zszlg+7EzgRObq0UTjBseu0vK2UqS+7MjhuNsEzYbADtym5dziJuiW93zt0PHM8PL3Ouxe7T72cPVo7PrrCOx4y
"""

_GUIDED = """
QEImOqs09ThTRBg+vT4fNbg7qDV4NJk9FzJ2OxE51znXOaknMktUOao47DlYQJlBjrKYMkE/qDphRIczJj3HO7xBJ0jpQJE/cDzaQX5EsUmwSKhB
EErMMRxCPUFnQsE4Pjj2OFgzHzgQLHi6EjOXtzK0dTYnrQotP7IouKgzOLhAN4Ut5jYpMSezBDUwMii09C4KLyM4i5wPtbm0E7lYqhIsdzVos5e3
XjTHuSk35jSuOgy29TA9qkszorRfq7SmlTUQMaS47zgSPyooBjfjtrY8KrDmNxU1hLjJOqa0pa8RLl6xza1yNsOwVqkiswg0zzHdssqzuzJ2N/gx
mTUStcUzqLQcsDw5SbRWNGa1iLBFs+y/77K/uYYxUTO/OQmvlbhvLFExLq7ctbmxxTPdNXwxxDpCtYcrMy+YvWEx3zBmJS0tHrkWqqyvBDI4nGys
RjQCuCunjS9eMRs1wrgvuu84vLVGuEK/rbgMtPS23ZnxrNGyOS87sZ0zWyHJN2M0iSVsOIilJqi8swsn86lVuCc0vrhFIjc0PrYsL9MxTbF+N0C1
Wa9EMP+73SlKMFC+yDCnMAC5dDQ+NvcfITZaK2c4YzaetkmsSjvlNO+l4TCsPMg437ueqPYZMysdtgAumjToM5opbzAQsDwvFbMds4Wz9bSJNLY0
SqdbsrIjRzruK7I2iTTONqQxYCuDOT80sDrXsFUmzDqotn60p667sq0yGraNttUwobaisJCoKrONJh80u7g4Ov06fatQNoW0r7evPTs2Byf2tG40
QriTr1wxDjKOrVC5XrAWrFI2R7QyLB0egLZksUAwwLQYNbIq10AkMBu36KkJKuowKSxsNjm1UaZKMlC0dC7UlJc2jKruteAuI7AtrIA11Bw/K7Gv
/yhDNdwx6qwKtQMoMDDQrQI2E7j+OJY237KEwTQ3BLjYsQWxcLO3s7uyYLCbNtgzNy4BOfSobC7wPmE8ajciO6Wx3q5eqhA1vSemNpEyNTI0OVi0
ObhIvty8yjY/OO01669aL1QsdzadsB8nSrgVs3w68aifMdwsLCgqNIWxKDGGtr403bFsNfC8racGsmk4C7MSMVe3orhDuICxvjkhNbYxojNRtBe5
JLiSJP60XbF3t6YwPSovL4k6QreTOQkpqzh6PNqzuLR+N3G4JTO4uyO5RTEDrEa1ZbD4rFo1vzOHsJkgEKlitUSurCRzJc43v67HNlg1O7SgK74s
QTZeKYazzq1ar12ppzR2uYs4uDCTNZg8szuotxgsj67VvRi2rrBjKYy7xSUDNEoyarLvJLcfn7UBKGAqFTJft76zfDg+uJWyILBhvEs4HjmCPMQ7
KjvJOTu7vbq0tGgufLZVKEI1sLE1tgk4N6w2qxOwHLHetnw3gCw4Kqspd7TJvDww86KrNJq6IjJcs/ioqbT5sT+wbDJEtr8xiDitLJot0rW9NcMu
NygxNHQ1zDa6uPonbqsztBemyrRgOJ072rWANxWtGigpLGo5Oh5ROzS0rbT8M3Mx/zB8tTguTZ57HeAwcDM1q5I4BbbpNXA6ZLH+vCo1QDQwuBgx
ZKCQspy1eC+3MGC1pbmAOXS4jTsQtskybB8FO40uMLLMMki6LDeCuB+zLLpSvDC1WbqbsJSzTDWOsQ0wTTIQLW6wW5jwsjG3zrA3NIgxa6fRr8Ky
ibbCtQOzijOCkZ6u5K1SrHMuCi86Km+rf7ZkMoyvGDHTtEg27DsuP769WrULuDw35bjMtBq4PDnltkoyqzW3o8c5fTWMLyyycj9br6U2Ki3HMEo5
X7eTvE4xtrwrsQmuYbV/uLY4RDZ4mzG0LTVoOgK1cjM6tFE5w7S6KgA3iTBaMPUtAa91PV+shTVur+00ED1usi20w7n6se058bkZugU51LOYqGGx
OjeBNbW4PDmbulI137odt2c4ySpWO6ewYLnmORs3STNiOdS7KTy6PHq4XTmvuFM08LI4sU6wnrA7O6U18jcQPV4xMDfGIvs4cjSXtCO48raVtl4w
m7nsusQ02rZoOP24mzgJLKa4QDjxtSU1F7eBuvwyKa+6tPi5QySON587AzYiOEG7gTXqOdS5uDdTtJw3+bsKuYM4fbtaNp+4SjdzOG08xbX3O2u3
PL3rsVw3vjibOOo8BjK6OeK0Y6npGiOxgbwgtC0oty2esh+7ri+rOY+upK4ROhA2Wjn0PLY0FrUMr4C7hDRKNCS1gzUrp8o1ZbhRKDqzX7ixNUE5
tTjBO7OqHDIMupaxNjW/ufC26670rQAu5jEguRkr0B/mNs+0CTrONYO53jYxr4Y5SroBt9evazi3uIM2MjytuEMzY7cNum+rA7YWupaiSLmjNxG0
vznnMuEp/jSqtVA07a86t/k2Cy0nPIO5LbxvLO6vojYDNqO4BTgzPCCl1jc6M0i1U7ossu+sp7gmOLIquS3QLpE8ObNWOTGs6b2Xtr4tFTgRM6ky
1zhLNqMy9zmisDSvyLqruYS28aFZN7K5nLMCONI69C4wMWw1b7YSPIsvSDczseK5oDxfPJuyWjyLrKwsRLcJs1I3NLGeNjmzITgEPPkymjHuNrY0
9bfOuN0c+S9sMjSwc7UQNM48urz1Pve9/DwSPK89rr1Uul473TvhPXou
"""
