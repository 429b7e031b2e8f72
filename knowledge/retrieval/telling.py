"""Which differences between two wordings people would not call the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from knowledge.analysis import terms
from knowledge.languages import STEMMERS, stop_words

__all__ = ["telling"]

_POLARITY = frozenset(
    """
    not no nor none never neither nothing nobody nowhere without cannot unless except only must may might should
    t don doesn didn isn aren wasn weren hasn haven hadn won wouldn shouldn couldn
    nicht nichts nie niemals niemand nirgends kein keine keinem keinen keiner keines ohne weder außer ausser nur
    muss müssen darf dürfen soll sollen kann können
    ne pas non ni jamais aucun aucune rien personne sans sauf
    nunca jamás ni ningún ninguno ninguna nada nadie sin salvo tampoco
    mai nessun nessuno nessuna niente nulla senza tranne né
    não nem nenhum nenhuma ninguém sem exceto
    niet geen nooit niemand niets nergens zonder behalve noch
    не нет ни никогда никто ничего нельзя без кроме
    δεν μην όχι ποτέ κανένας κανείς τίποτα χωρίς
    لا ليس لم لن ما غير بدون नहीं मत न बिना 不 没 沒 無 无 未 非 ない ません 없 않 안 못
    """.split()
)
"""Words that turn a statement round or bind it; of some languages that is a stop word, so stop words are no guide."""

_NUMBERS = frozenset(
    """
    zero one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty hundred thousand
    million billion half third quarter twice once first second double
    null ein eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf zwanzig dreißig hundert tausend halb
    un deux trois quatre cinq sept huit neuf dix onze douze vingt trente cent mille demi
    uno dos tres cuatro cinco seis siete ocho nueve diez once doce veinte treinta cien mil medio
    due tre quattro cinque sei sette otto nove dieci undici dodici venti trenta cento mezzo
    dois três quatro sete oito dez onze doze vinte trinta cem meio
    een twee drie vijf zes zeven acht negen tien elf twaalf twintig dertig honderd duizend
    один два три четыре пять шесть семь восемь девять десять сто тысяча
    一 二 三 四 五 六 七 八 九 十 百 千 万 萬 億 亿 半 両 两
    """.split()
)

_SIGNS = frozenset("% ‰ $ € £ ¥ ° + - − ±".split())


def telling(mine: Sequence[str], theirs: Sequence[str]) -> bool:
    """Tell whether it matters that these words, folded, stand in the place of those; either may be empty.

    A number, a sign of measure or a negation matters even where it was only added; another word where it took the
    place of one. Words of grammar and endings do not.
    """
    only_mine, only_theirs = _kept(mine, theirs), _kept(theirs, mine)
    if any(_weighs(word) for word in (*only_mine, *only_theirs)):
        return True
    return (
        bool(_substance(only_mine))
        and bool(_substance(only_theirs))
        and (_substance(only_mine) != _substance(only_theirs))
    )


def _kept(words: Sequence[str], others: Sequence[str]) -> list[str]:
    """Return the words that are not among the others: a changed order alone changes nothing."""
    left = list(others)
    found = []
    for word in words:
        if word in left:
            left.remove(word)
        else:
            found.append(word)
    return found


def _weighs(word: str) -> bool:
    return word in _POLARITY or word in _NUMBERS or word in _SIGNS or any(c.isnumeric() for c in word)


def _substance(words: Iterable[str]) -> set[str]:
    return {stem for word in words if word not in _grammar() for stem in terms(word) or [word]}


@lru_cache(maxsize=1)
def _grammar() -> frozenset[str]:
    return frozenset().union(*(stop_words(code) for code in STEMMERS)) - _POLARITY - _NUMBERS
