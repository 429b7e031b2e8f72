"""What any model of use can do: a small fixed set, to see whether training made one forget it. Written here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["GENERAL", "General"]


@dataclass(frozen=True, slots=True)
class General:
    question: str
    wanted: Sequence[str]  # one of these is in a right answer


GENERAL = (
    General("What is the capital of France? Answer with one word.", ("paris",)),
    General("Which planet do people live on? Answer with one word.", ("earth",)),
    General("What is 7 plus 5? Answer with the number.", ("12", "twelve")),
    General("What is 9 minus 4? Answer with the number.", ("5", "five")),
    General("How many days has a week? Answer with the number.", ("7", "seven")),
    General("How many months has a year? Answer with the number.", ("12", "twelve")),
    General("Which day comes after Monday? Answer with one word.", ("tuesday",)),
    General("What is the opposite of hot? Answer with one word.", ("cold",)),
    General("What is the opposite of large? Answer with one word.", ("small", "little", "tiny")),
    General("Which colour does grass have? Answer with one word.", ("green",)),
    General("At what temperature in degrees Celsius does water freeze? Answer with the number.", ("0", "zero")),
    General("Translate the German word “Hund” into English. Answer with one word.", ("dog",)),
    General("Translate the French word “merci” into English.", ("thanks", "thank you", "thank")),
    General("Write the word “stone” in capital letters, and nothing else.", ("stone",)),
    General("Which is larger, 14 or 41? Answer with the number.", ("41",)),
    General("Is ice solid, liquid or gas? Answer with one word.", ("solid",)),
    General("What do bees make? Answer with one word.", ("honey",)),
    General("Anna is older than Ben. Who is younger? Answer with the name.", ("ben",)),
    General("Say whether this sentence is happy or sad: “I lost my dog today.” Answer with one word.", ("sad",)),
    General("What is the plural of “child”? Answer with one word.", ("children",)),
)
