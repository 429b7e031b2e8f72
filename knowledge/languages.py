"""Which language a text is in, and the words each language uses everywhere.

By script where the script tells, else by function words, which make up a third to a half of running text in
their own language. Neighbours that are not supported (Catalan, Danish...) are known by their function words
too, so that they are not taken for a relative.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from functools import lru_cache

__all__ = ["ENGLISH", "STEMMERS", "detect", "is_latin", "likely", "stop_words"]

ENGLISH = "en"
"""What a text counts as whose language is not known."""

STEMMERS: Mapping[str, str] = {
    "en": "english", "de": "german", "fr": "french", "es": "spanish", "it": "italian", "pt": "portuguese",
    "nl": "dutch", "ru": "russian", "el": "greek", "ar": "arabic", "hi": "hindi",
}  # fmt: skip
"""Snowball's name of each language it can stem; Chinese, Japanese, Korean, Thai and Hebrew have no such endings."""

SAMPLE = 4_000
"""Characters read at the beginning, in the middle and at the end: a title page alone may be in another language."""

FEWEST = 3
"""Function words that must be there, ..."""
SHARE = 0.2
"""... their least share of all words, ..."""
MARGIN = 1.25
"""... and how many times those of any other language."""

_WORDS: Mapping[str, str] = {
    "en": """
    a about above after again against all am an and any are as at be because been before being below between
    both but by can could did do does doing down during each few for from further had has have having he her
    here hers herself him himself his how i if in into is it its itself just me more most my myself no nor not
    now of off on once only or other our ours ourselves out over own same she should so some such than that
    the their theirs them themselves then there these they this those through to too under until up very was
    we were what when where which while who whom why will with would you your yours yourself yourselves s t d
    m ll re ve don doesn didn isn aren wasn weren hasn haven hadn won wouldn shouldn couldn
    """,
    "de": """
    aber alle allem allen aller alles als also am an andere anderen auch auf aus bei beim bin bis bist da damit
    dann das dass dein deine dem den denn der des dessen deren dich die dies diese diesem diesen dieser dieses
    dir doch dort du durch ein eine einem einen einer eines er es etwas euch euer für gegen habe haben hat hatte
    hatten hier hin hinter ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im in ist ja jede jedem jeden jeder jedes
    kann kein keine keinem keinen keiner können machen man mehr mein meine mich mir mit muss müssen nach nicht
    nichts noch nun nur ob oder ohne sehr sein seine seinem seinen seiner seit sich sie sind so soll sollen
    sondern sonst über um und uns unser unsere unter vom von vor wann war waren warum was weil welche welchem
    welchen welcher welches wenn wer werde werden wie wieder wird wir wird wo wurde wurden zu zum zur zwischen
    """,
    "fr": """
    à afin ai ainsi alors après au aucun aucune aussi autre autres aux avant avec avoir c ce ceci cela celle celles
    celui ces cet cette ceux chaque chez comme comment d dans de depuis des donc dont du elle elles en encore
    entre est et étaient était étant être eu eux fait il ils j jusqu je l la là le les leur leurs lors lorsque lui
    m ma mais me même mes moi moins mon n ne ni non nos notre nous on ont ou où par parce pas pendant peu peut
    peuvent plus plusieurs pour pourquoi qu quand que quel quelle quelles quels qui quoi s sa sans se selon sera
    seront ses si soit son sont sous sur t ta te tes toi ton tous tout toute toutes très tu un une vers vos votre
    vous y
    """,
    "es": """
    a al algo algunas algunos ante antes así aún aunque cada como cómo con contra cual cuál cuales cualquier cuando
    cuándo cuánto cuántos de del desde donde dónde durante e el él ella ellas ellos en entre era eran es esa esas
    ese eso esos esta está estaba están estas este esto estos fue fueron ha había habían han hasta hay la las le
    les lo los más me mi mis mientras muy nada ni no nos nosotros nuestra nuestro o otra otras otro otros para
    pero poco por porque pues puede pueden que qué quien quién se sea sean según ser será si sí sido sin sobre
    son su sus también tanto te tiene tienen todo todos tras tu tus un una unas uno unos usted ustedes y ya yo
    """,
    "it": """
    a ad agli ai al alla alle allo anche ancora avere aveva c che chi ci come con contro cosa cui d da dagli dai
    dal dalla dalle dallo degli dei del dell della delle dello dentro deve devono di dopo dove due e è ed era
    erano essere fra già gli ha hanno i il in io l la le lei lo loro lui ma me meno mi mia mio molto ne negli
    nei nel nell nella nelle nello no noi non nostra nostro o ogni oltre per perché però più poi prima può
    possono qual quale quali quando quanti quanto quella quelle quelli quello questa queste questi questo qui se
    sei senza si sia sono sopra sta stata stati stato su sua sue sugli sui sul sull sulla sulle suo suoi tra
    tutta tutte tutti tutto un una uno vi voi
    """,
    "pt": """
    a à ainda além algum alguns ao aos apenas após aquela aquele aqueles as às até cada com como contra cujo da
    das de dela dele deles depois desde dessa desse desta deste do dos e é ela elas ele eles em enquanto entre
    era eram essa essas esse esses esta está estão estas este estes eu foi foram há isso isto já la lhe lhes lo
    mais mas me mesmo meu minha muito na nas não nas nem no nos nós nossa nosso num numa o onde os ou outra
    outras outro outros para pela pelas pelo pelos perante pode podem por porque qual quais qualquer quando
    quanto quantos que quem são se seja sem sendo ser será seu seus sob sobre sua suas também tem têm ter teu
    toda todas todo todos tu um uma umas uns você vocês
    """,
    "nl": """
    aan al alle alleen als andere ben bij binnen daar dan dat de deze die dit doen door dus een één elk elke en er
    geen haar had hadden heb hebben hebt heeft hem het hier hij hoe hoeveel hun iemand iets ik in indien is ja je
    jij jou jouw jullie kan kon kunnen maar me mee meer men met mij mijn moet moeten mogen na naar niet niets nog
    nu of om omdat onder ons onze ook op over per reeds te tegen ten ter toch toen tot tussen u uit uw van vanaf
    veel volgens voor waar waarom wanneer waren was wat we wel welk welke werd werden wie wij worden wordt zal ze
    zelf zich zij zijn zo zoals zonder zou zullen
    """,
    "ru": """
    а без более будет бы был была были было быть в вам вас весь во вот все всего всех вы где да для до его ее ей
    если есть еще ж же за здесь и из или им их к как какая какой когда кто ли либо между меня мне может мы на
    надо наш не него нее нет ни них но ну о об однако он она они оно от перед по под после потому при с со
    сколько так также такой там те тем то того тоже той только том ты у уже хотя чего чей чем через что чтобы
    чье эта эти это этого этой этом этот эту я
    """,
    "el": """
    ένα ένας έχει έχουν αλλά αν από αυτά αυτή αυτό αυτός για δεν είναι επίσης ή η θα και κάθε κατά με μέχρι μας
    μια μπορεί να ο οι όπως όταν ότι που πριν προς πώς πόσο σας σε στα στη στην στις στο στον στους τα τη την
    της τι τις το τον του τους των ως
    """,
    "ar": """
    أن أو إذا إلى إن التي الذي الذين بعد بين ثم حتى على عن عند في قبل قد كان كانت كل كما كم كيف لا لم ليس ما متى
    مع من منذ هذا هذه هل هو هي و يكون
    """,
    "hi": """
    इस इसके उस एक ऐसे और कर करने का किया किसी की कुछ के को कोई कौन क्या गया जब जा जो तक तो था थी थे द्वारा नहीं पर
    भी में यदि यह या ये रहा वह से हम है हैं हो होता होती होने
    """,
    "he": """
    אבל או אחרי איך אך אם אני את אתה בין גם הוא היא היה היו הם זה זאת כי כל כמה כן כפי לא לפני מה מי מתי על עם עד
    רק של שלא אשר
    """,
}  # fmt: skip

# Languages of the same script that are not supported: a text of theirs is left undetermined.
_NEIGHBOURS: Mapping[str, str] = {
    "ca": """
    a al als amb això aquest aquesta aquests com de del dels el els en entre és és han hem i la les més no o pel
    pels per però què que s'ha ser si són també un una unes uns aquí cal fer teniu vostre nostre l d
    """,
    "ro": """
    a acest acestă această acestor ai al ale au ca că care ce cel cu da de din dintre este fi fie fost în într la
    lor mai nu o pe pentru poate prin sau se să si și sunt sa un una unei unui va vă
    """,
    "da": """
    af at de dem den denne der deres det dette dig din du efter eller en er et for fra har hvis hvor i ikke jeg
    kan kun man med men mere mod må nogle når og også om op over på sig skal som til ud var ved vi vil være
    """,
    "sv": """
    alla är att av blir de den denna det detta dig din du efter eller en ett för från ha har i inte jag kan man
    med men mer måste när och också om på sig ska som så till under upp ut var vi vid vill
    """,
    "pl": """
    a ale aby być czy dla do i ich jak jako jest już lub może na nie o od oraz po pod przez przy są się ta tak
    tego tej to tylko w we z za ze że
    """,
    "cs": """
    a aby ale bude být by do i jako je jeho již jsou k kde která které který na nebo není o od po pro při s se si
    tak to tím v ve více z za že
    """,
    "tr": """
    bir bu da daha de değil en gibi için ile ise kadar mı mi olan olarak olduğu ve veya ya çok her ne var yok bunu
    """,
    "fi": """
    ei että hän ja jo joka jos kuin kun mutta myös ne niin olla oli on ovat se sekä tai tämä tästä voi voit
    """,
    "hu": """
    a az egy és de hogy nem is meg csak ez ezt van volt vagy ha már még mint el kell lehet be ki
    """,
    "id": """
    yang dan di ini itu dengan untuk dari pada dalam tidak adalah akan atau ke oleh bisa dapat sebagai anda telah
    """,
    "gl": """
    a ao aos as ás coa co con da das de do dos e é en entre está este esta foi máis na nas no nos non o os ou para
    pero polo pola por que se seu súa sobre son tamén un unha
    """,
}  # fmt: skip

_LATIN = re.compile(r"[a-z\u00e0-\u024f\u1e00-\u1eff]+")
_SCRIPTS = {
    "kana": re.compile(r"[\u3041-\u30ff\uff66-\uff9d]"), "han": re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]"),
    "hangul": re.compile(r"[\u1100-\u11ff\uac00-\ud7af]"), "cyrillic": re.compile(r"[\u0400-\u052f]"),
    "arabic": re.compile(r"[\u0620-\u06d3]"), "hebrew": re.compile(r"[\u05d0-\u05ea]"),
    "greek": re.compile(r"[\u0370-\u03ff\u1f00-\u1fff]"), "thai": re.compile(r"[\u0e01-\u0e5b]"),
    "devanagari": re.compile(r"[\u0900-\u097f]"), "latin": re.compile(r"[a-z\u00e0-\u024f\u1e00-\u1eff]"),
}  # fmt: skip
_NOT_RUSSIAN = re.compile(r"[\u0452-\u045f\u0491]")  # letters of Ukrainian, Belarusian, Serbian, Macedonian
_RUSSIAN = re.compile(r"[\u044b\u044d\u0451]")
_NOT_ARABIC = re.compile(r"[\u067e\u0686\u0698\u06a9\u06af\u06cc\u0679\u0688\u06d2]")  # of Persian and Urdu
_WORD = re.compile(r"[^\W\d_]+(?:[\u093e-\u094d\u0900-\u0903]+[^\W\d_]*)*")


def is_latin(language: str) -> bool:
    """Tell whether a language is written in Latin letters; the unknown one counts as English."""
    return language in ("", "en", "de", "fr", "es", "it", "pt", "nl")


@lru_cache(maxsize=64)
def stop_words(language: str) -> frozenset[str]:
    """Return the casefolded function words of a language; beside those of another script stand the English ones."""
    own = _listed(_WORDS.get(language, ""))
    return own if is_latin(language) and own else own | _listed(_WORDS[ENGLISH])


@lru_cache(maxsize=64)
def _listed(words: str) -> frozenset[str]:
    return frozenset(words.casefold().split())


def detect(text: str) -> str:
    """Return the ISO 639 code of the language most of a text is in, or "" when that is not sure."""
    sample = unicodedata.normalize("NFKC", _sample(text)).casefold()
    script = _script(sample)
    if script == "latin":
        return _by_words(sample)
    if script == "cyrillic":
        return "ru" if _RUSSIAN.search(sample) and not _many(_NOT_RUSSIAN, sample) else ""
    if script == "arabic":
        return "" if _many(_NOT_ARABIC, sample) else "ar"
    if script == "devanagari":
        words = _WORD.findall(sample)
        known = sum(word in stop_words("hi") for word in words)
        return "hi" if known >= SHARE * len(words) else ""
    return {
        "kana": "ja", "han": "zh", "hangul": "ko", "hebrew": "he", "greek": "el", "thai": "th",
    }.get(script, "")  # fmt: skip


def likely(text: str, *, among: Collection[str]) -> str:
    """Return which of the languages a question is in, or "": two function words are enough, if no other has as many."""
    sample = unicodedata.normalize("NFKC", text[:SAMPLE]).casefold()
    words = _WORD.findall(sample)
    counts = sorted(((sum(word in stop_words(code) for word in words), code) for code in among), reverse=True)
    first, second = [*counts, (0, ""), (0, "")][:2]
    return first[1] if first[0] >= FEWEST - 1 and first[0] >= MARGIN * second[0] else ""


def _sample(text: str) -> str:
    if len(text) <= 3 * SAMPLE:
        return text
    middle = len(text) // 2
    return "\n".join((text[:SAMPLE], text[middle : middle + SAMPLE], text[-SAMPLE:]))


def _script(sample: str) -> str:
    """Return the script of most letters. Japanese has a share of kana; an ideograph counts for a few letters."""
    counts = {name: len(pattern.findall(sample)) for name, pattern in _SCRIPTS.items()}
    ideographs = counts.pop("han")
    if counts["kana"] * 10 >= ideographs and counts["kana"]:
        counts["kana"] = 3 * (counts["kana"] + ideographs)
    else:
        counts["han"] = 3 * ideographs
    name = max(counts, key=lambda script: counts[script])
    return name if counts[name] * 2 > sum(counts.values()) else ""


def _by_words(sample: str) -> str:
    words = _LATIN.findall(sample)
    languages = [*(code for code in _WORDS if is_latin(code)), *_NEIGHBOURS]
    hits = dict.fromkeys(languages, 0)
    for word in words:
        for code in _speakers(word):
            hits[code] += 1
    best = max(languages, key=lambda code: hits[code])
    others = max(count for code, count in hits.items() if code != best)
    sure = hits[best] >= FEWEST and hits[best] >= SHARE * len(words) and hits[best] >= MARGIN * others
    return best if sure and best not in _NEIGHBOURS else ""


@lru_cache(maxsize=16_384)
def _speakers(word: str) -> tuple[str, ...]:
    """Return the languages that have a function word."""
    known = {code: _WORDS[code] for code in _WORDS if is_latin(code)} | dict(_NEIGHBOURS)
    return tuple(code for code, words in known.items() if word in _listed(words))


def _many(pattern: re.Pattern[str], sample: str) -> bool:
    letters = sum(character.isalpha() for character in sample)
    return len(pattern.findall(sample)) * 200 > letters
