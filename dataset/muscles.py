"""Muscles, sides and channel names: those of the paper, and recognition of other spellings by a vocabulary.

A channel is called ``left_biceps`` and the like. A name from elsewhere (``RECTUS FEM. LT``, ``rVL``, ``EMG 1``) is read
by :func:`recognise`; an unrecognised name is kept, and every later step accepts any name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import permutations

LEFT, RIGHT = "left", "right"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One sensor's place on the body.

    Attributes
    ----------
    muscle : str
        Muscle in lower case, such as ``biceps``; for an unknown place, the channel's name.
    side : str
        ``left`` or ``right``, the subject's own; empty if unknown.
    """

    muscle: str
    side: str

    @property
    def name(self) -> str:
        """Channel name as stored everywhere, such as ``left_biceps``."""
        return f"{self.side}_{self.muscle}" if self.side else self.muscle

    @property
    def label(self) -> str:
        """Display name, such as ``L biceps``; without a side the name itself."""
        return f"{self.side[0].upper()} {self.muscle.replace('_', ' ')}" if self.side else self.muscle


class Place(StrEnum):
    """Body part of a muscle: determines the joints it moves and the sync contact it responds to."""

    FRONT_OF_THIGH = "front of thigh"
    BACK_OF_THIGH = "back of thigh"
    INNER_THIGH = "inner thigh"
    HIP = "hip"
    CALF = "calf"
    SHIN = "shin"
    FRONT_OF_ARM = "front of arm"
    BACK_OF_ARM = "back of arm"
    FOREARM = "forearm"
    SHOULDER = "shoulder"
    FLANK = "flank"
    TRUNK = "trunk"
    HEAD = "head"


_LEG = (Place.FRONT_OF_THIGH, Place.BACK_OF_THIGH, Place.INNER_THIGH, Place.HIP, Place.CALF, Place.SHIN)
_ARM = (Place.FRONT_OF_ARM, Place.BACK_OF_ARM, Place.FOREARM, Place.SHOULDER, Place.FLANK)
_CONTACT_OF_PLACE = {**dict.fromkeys(_LEG, "stomp"), **dict.fromkeys(_ARM, "clap")}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A muscle of the vocabulary.

    Attributes
    ----------
    phrases : tuple of tuple of str
        Its names, split into words. A name may have the words in any order, each shortened: the first of a phrase to no
        less than three letters.
    codes : frozenset of str
        Abbreviations, which count only if they stand alone.
    """

    name: str
    place: Place
    phrases: tuple[tuple[str, ...], ...]
    codes: frozenset[str]


#: Name, place, phrases (the first of them may be left out where it is the name), abbreviations.
_VOCABULARY: tuple[tuple[str, Place, str, str], ...] = (
    ("biceps", Place.FRONT_OF_ARM, "biceps brachii", "bb bic"),
    ("brachialis", Place.FRONT_OF_ARM, "", ""),
    ("triceps", Place.BACK_OF_ARM, "triceps brachii", "tri tric"),
    ("brachioradialis", Place.FOREARM, "", "brd"),
    ("flexor_carpi_radialis", Place.FOREARM, "", "fcr"),
    ("flexor_carpi_ulnaris", Place.FOREARM, "", "fcu"),
    ("extensor_carpi_radialis", Place.FOREARM, "extensor carpi radialis longus, extensor carpi radialis brevis",
     "ecr ecrl ecrb"),
    ("extensor_carpi_ulnaris", Place.FOREARM, "", "ecu"),
    ("flexor_digitorum_superficialis", Place.FOREARM, "flexor digitorum", "fds"),
    ("extensor_digitorum", Place.FOREARM, "extensor digitorum communis", "ed edc"),
    ("palmaris_longus", Place.FOREARM, "", ""),
    ("pronator_teres", Place.FOREARM, "", ""),
    ("wrist_flexors", Place.FOREARM, "flexors wrist, forearm flexors, flexors forearm", ""),
    ("wrist_extensors", Place.FOREARM, "extensors wrist, forearm extensors, extensors forearm", ""),
    ("forearm", Place.FOREARM, "", ""),
    ("first_dorsal_interosseous", Place.FOREARM, "interosseous dorsal first", "fdi"),
    ("abductor_pollicis_brevis", Place.FOREARM, "", "apb"),
    ("abductor_digiti_minimi", Place.FOREARM, "", "adm"),
    ("deltoid", Place.SHOULDER, "deltoideus, delts", "delt"),
    ("deltoid_anterior", Place.SHOULDER, "deltoideus anterior, deltoid front", ""),
    ("deltoid_middle", Place.SHOULDER, "deltoideus medialis, deltoid lateral, deltoid medius, deltoid acromialis", ""),
    ("deltoid_posterior", Place.SHOULDER, "deltoideus posterior, deltoid rear", ""),
    ("trapezius", Place.SHOULDER, "traps", "trap"),
    ("trapezius_upper", Place.SHOULDER, "trapezius descendens, trapezius superior", "ut"),
    ("trapezius_middle", Place.SHOULDER, "trapezius transversus, trapezius transversalis", ""),
    ("trapezius_lower", Place.SHOULDER, "trapezius ascendens, trapezius inferior", ""),
    ("pectoralis", Place.SHOULDER, "pectoralis major, pecs", "pec"),
    ("serratus_anterior", Place.SHOULDER, "", "sa"),
    ("infraspinatus", Place.SHOULDER, "", ""),
    ("supraspinatus", Place.SHOULDER, "", ""),
    ("teres_major", Place.SHOULDER, "", ""),
    ("rhomboids", Place.SHOULDER, "rhomboideus, rhomboideus major", ""),
    ("lats", Place.FLANK, "latissimus dorsi, latissimus", "ld lat"),
    ("erector_spinae", Place.TRUNK, "erectors, spinae erectors", "es"),
    ("erector_spinae_lumbar", Place.TRUNK, "erector spinae lumborum, lumbar erector, lumbar es", ""),
    ("erector_spinae_thoracic", Place.TRUNK, "erector spinae thoracis, thoracic erector, thoracic es", ""),
    ("longissimus", Place.TRUNK, "longissimus dorsi, longissimus thoracis", ""),
    ("iliocostalis", Place.TRUNK, "iliocostalis lumborum", ""),
    ("multifidus", Place.TRUNK, "multifidus lumborum", "mf"),
    ("quadratus_lumborum", Place.TRUNK, "", "ql"),
    ("rectus_abdominis", Place.TRUNK, "abdominals", "ra abs"),
    ("external_oblique", Place.TRUNK, "oblique external, obliquus externus, obliquus externus abdominis", "eo"),
    ("internal_oblique", Place.TRUNK, "oblique internal, obliquus internus, obliquus internus abdominis", "io"),
    ("gluteus", Place.HIP, "gluteal, glutes", ""),
    ("gluteus_maximus", Place.HIP, "", "gmax glmax"),
    ("gluteus_medius", Place.HIP, "", "gmed glmed"),
    ("gluteus_minimus", Place.HIP, "", "gmin"),
    ("tensor_fasciae_latae", Place.HIP, "tensor fascia lata, tensor fascia latae", "tfl"),
    ("iliopsoas", Place.HIP, "", ""),
    ("quadriceps", Place.FRONT_OF_THIGH, "quadriceps femoris, quads", "quad qf"),
    ("rectus_femoris", Place.FRONT_OF_THIGH, "", "rf"),
    ("vastus_lateralis", Place.FRONT_OF_THIGH, "", "vl"),
    ("vastus_medialis", Place.FRONT_OF_THIGH, "", "vm"),
    ("vastus_medialis_oblique", Place.FRONT_OF_THIGH, "vastus medialis obliquus", "vmo"),
    ("vastus_intermedius", Place.FRONT_OF_THIGH, "", ""),
    ("sartorius", Place.FRONT_OF_THIGH, "", "sar"),
    ("hamstrings", Place.BACK_OF_THIGH, "hams", "ham"),
    ("biceps_femoris", Place.BACK_OF_THIGH, "", "bf"),
    ("semitendinosus", Place.BACK_OF_THIGH, "", "st"),
    ("semimembranosus", Place.BACK_OF_THIGH, "", "sm"),
    ("adductors", Place.INNER_THIGH, "adductor", ""),
    ("adductor_longus", Place.INNER_THIGH, "", ""),
    ("adductor_magnus", Place.INNER_THIGH, "", ""),
    ("gracilis", Place.INNER_THIGH, "", ""),
    ("gastrocnemius", Place.CALF, "", "gas gast"),
    ("gastrocnemius_medialis", Place.CALF, "gastrocnemius medial, gastrocnemius caput mediale", "mg"),
    ("gastrocnemius_lateralis", Place.CALF, "gastrocnemius lateral, gastrocnemius caput laterale", "lg"),
    ("soleus", Place.CALF, "", "sol"),
    ("triceps_surae", Place.CALF, "", ""),
    ("calf", Place.CALF, "calves", ""),
    ("tibialis_anterior", Place.SHIN, "", "ta"),
    ("tibialis_posterior", Place.CALF, "", "tp"),
    ("peroneus", Place.SHIN, "peroneal, fibularis", ""),
    ("peroneus_longus", Place.SHIN, "fibularis longus", "pl"),
    ("peroneus_brevis", Place.SHIN, "fibularis brevis", ""),
    ("extensor_digitorum_longus", Place.SHIN, "", "edl"),
    ("extensor_hallucis_longus", Place.SHIN, "", "ehl"),
    ("sternocleidomastoid", Place.HEAD, "sternocleidomastoideus", "scm"),
    ("masseter", Place.HEAD, "", ""),
    ("temporalis", Place.HEAD, "", ""),
    ("frontalis", Place.HEAD, "", ""),
)  # fmt: skip


def _entries() -> Iterator[_Entry]:
    for name, place, phrases, codes in _VOCABULARY:
        named = [name.replace("_", " "), *(p.strip() for p in phrases.split(",") if p.strip())]
        yield _Entry(
            name=name, place=place, phrases=tuple(tuple(p.split()) for p in named), codes=frozenset(codes.split())
        )


_ENTRIES = tuple(_entries())
_PLACE_OF_MUSCLE = {entry.name: entry.place for entry in _ENTRIES}
_CODES = {code: entry.name for entry in _ENTRIES for code in entry.codes}
#: Index from each word to the phrases that contain it.
_PHRASES = tuple((entry.name, phrase) for entry in _ENTRIES for phrase in entry.phrases)
_MOST_WORDS = max(len(phrase) for _, phrase in _PHRASES)
#: Fewest letters of a shortened first word of a phrase.
_SHORTEST = 3

_SIDES = {
    "left": LEFT, "lt": LEFT, "lft": LEFT, "links": LEFT, "li": LEFT, "sx": LEFT,
    "right": RIGHT, "rt": RIGHT, "rgt": RIGHT, "rechts": RIGHT, "re": RIGHT, "dx": RIGHT,
}  # fmt: skip
_LETTERS = {"l": LEFT, "r": RIGHT}
#: Abbreviations that form other words with a letter before or after them: LED, RES, SAR.
_NEVER_GLUED = frozenset({"ed", "eo", "es", "io", "ra", "sa"})
_GLUED = {**{word: side for word, side in _SIDES.items() if word in ("left", "right", "lt", "rt")}, **_LETTERS}

#: Words for sEMG or its recording that do not name a place; a number may follow them.
_FILLER_WORDS = """
emg semg iemg muscle musculus channel chan ch sensor slot electrode electrodes input ai analog imported raw rms filtered
rectified envelope voltage avanti trigno quattro delsys noraxon ultium desktop dts
"""
_FILLER = frozenset(_FILLER_WORDS.split())
_UNIT = re.compile(
    r"[(\[{]\s*(?:[unmµμ]?v(?:olts?)?|microvolts?|millivolts?|counts?|adu?|a\.?\s?u\.?|%|%\s*mvc|mvc)\s*[)\]}]",
    re.IGNORECASE,
)
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])")


def _both_sides(*muscles: str) -> tuple[Channel, ...]:
    return tuple(Channel(muscle=m, side=s) for m in muscles for s in (LEFT, RIGHT))


#: The paper's eight channels in slot order.
PAPER_CHANNELS = _both_sides("biceps", "triceps", "quadriceps", "hamstrings")

#: Channel order of the published windows (measured: left four, then right four; lats in place of triceps).
MIA_CHANNELS = tuple(
    Channel(muscle=m, side=s) for s in (LEFT, RIGHT) for m in ("quadriceps", "hamstrings", "lats", "biceps")
)

#: Sync contact that a muscle responds to: arms to claps, legs to stomps; those of trunk and head are in
#: neither, and are tested with both.
CONTACT_OF_MUSCLE = {
    muscle: _CONTACT_OF_PLACE[place] for muscle, place in _PLACE_OF_MUSCLE.items() if place in _CONTACT_OF_PLACE
}


def place_of(muscle: str) -> Place | None:
    """Return the body part of a muscle of the vocabulary; None if unknown."""
    return _PLACE_OF_MUSCLE.get(muscle)


def channel_from_name(name: str) -> Channel:
    """Return the channel called ``name``; a name without a known side gets side ``""``.

    Reads only the stored spelling (``left_biceps``); see :func:`recognise` for others.
    """
    side, _, muscle = name.partition("_")
    if side in (LEFT, RIGHT) and muscle:
        return Channel(muscle=muscle, side=side)
    return Channel(muscle=name, side="")


def in_order_of_the_body(names: Iterable[str]) -> tuple[str, ...]:
    """Return channel names in the paper's order, then the others in the given order.

    So a session's order does not depend on which sensor was on which muscle.
    """
    paper = {channel.name: i for i, channel in enumerate(PAPER_CHANNELS)}
    return tuple(sorted(names, key=lambda name: paper.get(name, len(paper))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """Muscle and side recognised in a name.

    Attributes
    ----------
    muscle : str
        A muscle of the vocabulary; empty if none was recognised.
    side : str
        ``left``, ``right`` or empty.
    whole : bool
        Every word of the name was recognised, so that :attr:`channel` loses nothing.
    """

    muscle: str = ""
    side: str = ""
    whole: bool = False

    @property
    def channel(self) -> Channel | None:
        """The channel in the stored spelling; None if the name was not recognised completely."""
        return Channel(muscle=self.muscle, side=self.side) if self.muscle and self.whole else None


@lru_cache(maxsize=1024)
def recognise(name: str) -> Recognised:
    """Recognise muscle and side in a channel name by a vocabulary with abbreviations.

    Parameters
    ----------
    name : str
        Such as ``RECTUS FEM. LT``, ``biceps_left``, ``rightQuadriceps``, ``L BF (uV)``, ``EMG 3``: the side before or
        after, in any case; the muscle's words in any order, each in full or shortened.

    Notes
    -----
    A single letter is a side only at either end of a name, and without a known muscle only if nothing else
    stands beside it: the last letter of ``FLEX. CARP. R`` is not a side.
    """
    words = words_of(name)
    side, rest = _side_in_words(words)
    if side:
        found, whole = _muscle_in(rest)
        return Recognised(muscle=found, side=side, whole=whole)
    lettered = _side_by_letter(words)
    if lettered is not None:
        return lettered
    found, whole = _muscle_in(words)
    if found:
        return Recognised(muscle=found, whole=whole)
    return (_unglued(words[0]) if len(words) == 1 else None) or Recognised()


def _side_by_letter(words: tuple[str, ...]) -> Recognised | None:
    """Recognise a name that begins or ends with a letter for its side; None if it does not."""
    for letter, others in ((words[0], words[1:]), (words[-1], words[:-1])) if words else ():
        if letter not in _LETTERS:
            continue
        found, whole = _muscle_in(others)
        if not whole and (muscle := _muscle_in(words))[1]:
            # The letter may stand for a word as well: ``VASTUS L``.
            return Recognised(muscle=muscle[0])
        if found or not others:
            return Recognised(muscle=found, side=_LETTERS[letter], whole=whole)
    return None


def words_of(name: str) -> tuple[str, ...]:
    """Return a name's words: lower case without accents, units and punctuation, cut at capitals and digits."""
    plain = unicodedata.normalize("NFKD", _UNIT.sub(" ", name))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    words = re.findall(r"[^\W_]+", " ".join(_HUMP.split(plain)).casefold())
    return _without_filler(words)


def _without_filler(words: Sequence[str]) -> tuple[str, ...]:
    """Return the words without those that do not name a place, and the numbers after them."""
    kept: list[str] = []
    counts = False
    for i, word in enumerate(words):
        if word in _FILLER or (i == 0 and word in ("m", "mm") and len(words) > 1):
            counts = True
            continue
        if not (counts and word.isdigit()):
            kept.append(word)
        counts = False
    return tuple(kept)


def _side_in_words(words: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return the side named by a whole word, and the other words; no side if both are named."""
    sides = {_SIDES[w] for w in words if w in _SIDES}
    if len(sides) != 1:
        return "", words
    return sides.pop(), tuple(w for w in words if w not in _SIDES)


def _muscle_in(words: tuple[str, ...]) -> tuple[str, bool]:
    """Return the best matching muscle, and whether it covers every word; empty if none or several match."""
    if len(words) == 1 and words[0] in _CODES:
        return _CODES[words[0]], True
    found = _best(words)
    if found:
        return found, True
    # With words to spare, such as the head of a muscle: the longest of its phrases among neighbouring words.
    for n in range(min(len(words) - 1, _MOST_WORDS), 0, -1):
        inside = {_best(words[i : i + n], in_full=n == 1) for i in range(len(words) - n + 1)} - {""}
        if len(inside) == 1:
            return inside.pop(), False
        if inside:
            return "", False
    return "", False


def _best(words: tuple[str, ...], *, in_full: bool = False) -> str:
    """Return the muscle with a phrase that matches these words; of several, that with the most full words."""
    scores: dict[str, int] = {}
    for muscle, phrase in _PHRASES:
        if len(phrase) == len(words) and (score := _fit(words, phrase)) is not None:
            scores[muscle] = max(score, scores.get(muscle, 0))
    if in_full:
        scores = {muscle: score for muscle, score in scores.items() if score}
    top = [muscle for muscle, score in scores.items() if score == max(scores.values())]
    return top[0] if len(top) == 1 else ""


def _fit(words: tuple[str, ...], phrase: tuple[str, ...]) -> int | None:
    """Return how many words match a phrase unabbreviated, in the best order; None if they do not match."""
    if len(words) > 4:
        orders: Iterable[tuple[str, ...]] = (words,)
    else:
        orders = permutations(words)
    best: int | None = None
    for order in orders:
        if all(
            whole.startswith(word) and (len(word) >= _SHORTEST or (i > 0 and len(phrase) > 1))
            for i, (word, whole) in enumerate(zip(order, phrase, strict=True))
        ):
            exact = sum(word == whole for word, whole in zip(order, phrase, strict=True))
            best = exact if best is None else max(best, exact)
    return best


def _unglued(word: str) -> Recognised | None:
    """Split a word that joins side and muscle: ``rvl``, ``bicepsleft``."""
    found: set[tuple[str, str]] = set()
    for mark, side in _GLUED.items():
        for rest in (
            word.removeprefix(mark) if word.startswith(mark) else "",
            word.removesuffix(mark) if word.endswith(mark) else "",
        ):
            if len(rest) >= 2 and rest not in _NEVER_GLUED and (muscle := _muscle_in((rest,))[0]):
                found.add((muscle, side))
    if len(found) != 1:
        return None
    muscle, side = found.pop()
    return Recognised(muscle=muscle, side=side, whole=True)
