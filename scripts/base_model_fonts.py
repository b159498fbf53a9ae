"""The fonts that the base model learned from: name here, package, and the font's path in it. All under the OFL."""

from __future__ import annotations

from scripts.npm_fonts import Package

BASE_MODEL_FONTS = {
    "m-plus-rounded-1c-bold": (
        Package(
            "@expo-google-fonts/m-plus-rounded-1c",
            "0.4.4",
            "sha512-qGl+hIQLzVL73svgaTktKN8AyQYjYxBG3W2axoxhpVo/KmcICrnVlgFGfuc0r3flQ4KJlnv1UKzmYoRV7sPRpA==",
        ),
        "700Bold/MPLUSRounded1c_700Bold.ttf",
    ),
    "m-plus-rounded-1c-regular": (
        Package(
            "@expo-google-fonts/m-plus-rounded-1c",
            "0.4.4",
            "sha512-qGl+hIQLzVL73svgaTktKN8AyQYjYxBG3W2axoxhpVo/KmcICrnVlgFGfuc0r3flQ4KJlnv1UKzmYoRV7sPRpA==",
        ),
        "400Regular/MPLUSRounded1c_400Regular.ttf",
    ),
    "m-plus-rounded-1c-black": (
        Package(
            "@expo-google-fonts/m-plus-rounded-1c",
            "0.4.4",
            "sha512-qGl+hIQLzVL73svgaTktKN8AyQYjYxBG3W2axoxhpVo/KmcICrnVlgFGfuc0r3flQ4KJlnv1UKzmYoRV7sPRpA==",
        ),
        "900Black/MPLUSRounded1c_900Black.ttf",
    ),
    "kiwi-maru-medium": (
        Package(
            "@expo-google-fonts/kiwi-maru",
            "0.4.1",
            "sha512-Ku9dxRshLkpxOWuCcqRQtJaKcnOolq+hiMIkqPoBTngnDViAppihhWbA4pv/EHr6zlGy3UtNOGupkl5lJThlZw==",
        ),
        "500Medium/KiwiMaru_500Medium.ttf",
    ),
    "mochiy-pop-one": (
        Package(
            "@expo-google-fonts/mochiy-pop-one",
            "0.4.1",
            "sha512-7XCXK3EnKX4lqnYptzioNzmp22wAOtGCyIqEBDC/X74tvNEsQtxfnBkhXTuaDRLPmek60501LvlnDQKcgRWDoQ==",
        ),
        "400Regular/MochiyPopOne_400Regular.ttf",
    ),
    "potta-one": (
        Package(
            "@expo-google-fonts/potta-one",
            "0.4.1",
            "sha512-QGpqB8ePc2oqD9sbvI/9+A+Gtit1h+krUKtaihzhJvwKkN55idl2JosUUKQIZeaMJQFjhGC9/iKTGMDLzhDFWg==",
        ),
        "400Regular/PottaOne_400Regular.ttf",
    ),
    "hachi-maru-pop": (
        Package(
            "@expo-google-fonts/hachi-maru-pop",
            "0.4.1",
            "sha512-Aay9Y5BoFgYky0ctL9envPSjIPyVQN7eNBekPtL96b7f8n0vF91ZyhaP4DXZvdw36ZuvfW4ANX57kBeNFzAg+A==",
        ),
        "400Regular/HachiMaruPop_400Regular.ttf",
    ),
    "rocknroll-one": (
        Package(
            "@expo-google-fonts/rocknroll-one",
            "0.4.1",
            "sha512-Cs4slN04Ij215DhdmL4f8d2cm+DMewNHR4JRTW0V8+HHDrWmGqPYHY7SMfJX1CcSm869afsvdOyvMq86pRQLxA==",
        ),
        "400Regular/RocknRollOne_400Regular.ttf",
    ),
    "kaisei-decol-bold": (
        Package(
            "@expo-google-fonts/kaisei-decol",
            "0.4.1",
            "sha512-dgDoMStD+331nz5kbtpeamMDBTetXvhvXnjywYZ+QJ0svBjU4AMZP+oe6zBFvIreY1QncqhyLPDIRLHzjZWiWw==",
        ),
        "700Bold/KaiseiDecol_700Bold.ttf",
    ),
    "shippori-mincho-bold": (
        Package(
            "@expo-google-fonts/shippori-mincho",
            "0.4.1",
            "sha512-+nyw31jQWKm8GJLU1kcDYBRJ9jIp/8H6R1RSipkXQMf3+GIKSR3l8zJxuyoeal2+EzFDgo/xFQceM24MItobyA==",
        ),
        "700Bold/ShipporiMincho_700Bold.ttf",
    ),
    "zen-kurenaido": (
        Package(
            "@expo-google-fonts/zen-kurenaido",
            "0.4.1",
            "sha512-r+8gv8cbztIGq09gw59jVnmbFLNFfOtfke2FEG7w7dZw1Ey3UJXxTUw4Odb+meitYqcHF5wBD2ju+UVXVhTrXA==",
        ),
        "400Regular/ZenKurenaido_400Regular.ttf",
    ),
    "yomogi": (
        Package(
            "@expo-google-fonts/yomogi",
            "0.4.1",
            "sha512-NfhwUbglIIkcG8xdKENgW12Db9+Ooz1lv9TFZ4PpDe8Mcn+m8KnaiGZ/dOOixWMT0tTBV8JmNg2sYQ2OU2G+Jw==",
        ),
        "400Regular/Yomogi_400Regular.ttf",
    ),
    "yuji-syuku": (
        Package(
            "@expo-google-fonts/yuji-syuku",
            "0.4.1",
            "sha512-QJiK59IQ0W0Fme/X4CdxAItpCCNj+iGuz/EAFo02Nce7CtOiHvSKdzzsLAlI2s9fpnLGfsNyDX7jBOOlrJ8Q9Q==",
        ),
        "400Regular/YujiSyuku_400Regular.ttf",
    ),
    "stick": (
        Package(
            "@expo-google-fonts/stick",
            "0.4.1",
            "sha512-63ID9W+TBM0uQLmPUCD03jWpStBjsw5SbOMs/eDTFGY5Q+UobjfHyTpETqw8teBSzYQPqF+goNFHbxclrsnVow==",
        ),
        "400Regular/Stick_400Regular.ttf",
    ),
    "zcool-kuaile": (
        Package(
            "@expo-google-fonts/zcool-kuaile",
            "0.4.2",
            "sha512-KkcHLXsOWzINR2ezf3bPpn4ePATD5JmG31Lif9/N1YkC1ZRyscwB3B5OV4svMjNtz5EE9XcK04JiIYfMAzUd3A==",
        ),
        "400Regular/ZCOOLKuaiLe_400Regular.ttf",
    ),
    "biz-udgothic-bold": (
        Package(
            "@expo-google-fonts/biz-udgothic",
            "0.4.0",
            "sha512-4Q5vhxKvCc1ay4p5bVKs8rnSbqIaEqDYbMb/BECadrjCEZLJzhK3i1ZybbRvCXU/IYgwGLtjUYrOAnxIW8Sfpg==",
        ),
        "700Bold/BIZUDGothic_700Bold.ttf",
    ),
}
