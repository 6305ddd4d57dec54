"""How often a mention is of an incident by its meaning, and how often it is taken for it wrongly.

    python -m benchmarks.incident_meaning --datasets FOLDER

Eight incidents of a bank, each described in three sentences of English or of Spanish, written before the texts were
looked at; the texts are Banking77's test set (CC BY 4.0; 3,080 questions, 77 intents, of which one is the incident and
the others are near misses of the same trade) and posts about anything in English and Spanish (XLM-T's validation set).
`attached`: beside the English sentences, five questions of the training set stand for mentions that a person attached.

For each threshold: the share of the incident's own texts that are caught, how many of a thousand other bank texts are
taken for it, and how many of a thousand posts about anything. `desk/incidents.py` (`ALIKE`) has the threshold.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from listener.model import reading

OTHERS = 800  # other bank texts, drawn by a fixed seed
THRESHOLDS = (0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
INCIDENTS = {
    "transaction_charged_twice": (
        ("I was charged twice for the same purchase", "There are two identical charges on my account",
         "You took the payment out double"),
        ("Me han cobrado dos veces la misma compra", "Tengo dos cargos idénticos en la cuenta",
         "El pago salió por duplicado"),
    ),
    "card_not_working": (
        ("My card does not work anywhere", "My card stopped working", "The card is broken, I cannot use it"),
        ("Mi tarjeta no funciona en ningún sitio", "La tarjeta dejó de funcionar", "No puedo usar mi tarjeta"),
    ),
    "declined_transfer": (
        ("My transfer was declined", "The bank rejected my transfer", "Why was my transfer refused?"),
        ("Rechazaron mi transferencia", "El banco no dejó pasar mi transferencia",
         "¿Por qué se denegó mi transferencia?"),
    ),
    "pending_cash_withdrawal": (
        ("My cash withdrawal is still pending", "I took money out and it still shows as pending",
         "The ATM withdrawal does not clear"),
        ("Mi retirada de efectivo sigue pendiente", "Saqué dinero y aparece como pendiente",
         "El retiro del cajero no se confirma"),
    ),
    "top_up_failed": (
        ("My top up failed", "I tried to top up and it did not work", "The top up was rejected"),
        ("Falló mi recarga", "Intenté recargar y no funcionó", "La recarga fue rechazada"),
    ),
    "balance_not_updated_after_bank_transfer": (
        ("I made a transfer and my balance did not change", "The transferred money does not show in my balance",
         "My account was not updated after the transfer"),
        ("Hice una transferencia y mi saldo no cambió", "El dinero transferido no aparece en el saldo",
         "No se actualizó mi cuenta después de la transferencia"),
    ),
    "passcode_forgotten": (
        ("I forgot my passcode", "I cannot remember my code and cannot get into the app", "How do I reset my passcode"),
        ("Olvidé mi clave de acceso", "No recuerdo mi código y no puedo entrar en la aplicación",
         "¿Cómo recupero mi clave?"),
    ),
    "wrong_exchange_rate_for_cash_withdrawal": (
        ("The exchange rate for my cash withdrawal was wrong", "I got a bad rate when I took out money abroad",
         "You applied the wrong rate at the ATM abroad"),
        ("El tipo de cambio de mi retirada fue incorrecto", "Me dieron un mal cambio al sacar dinero en el extranjero",
         "Aplicaron mal el tipo de cambio en el cajero"),
    ),
}  # fmt: skip


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--datasets", type=Path, required=True)
    folder = parser.parse_args().datasets
    test, train = (_bank(folder / "banking77" / name) for name in ("test.csv", "train.csv"))
    chosen = random.Random(7)
    others = chosen.sample([text for text, intent in test if intent not in INCIDENTS], OTHERS)
    posts = [
        line
        for language in ("english", "spanish")
        for line in (folder / "xlm_t_val" / language / "val_text.txt").read_text(encoding="utf-8").splitlines()
    ]
    model = reading.load()
    near_misses, anything = model.embed(others), model.embed(posts)
    print(f"{'described':<10}{'threshold':>10}{'caught':>9}{'of 1,000 bank texts':>21}{'of 1,000 posts':>16}")
    for named in ("English", "Spanish", "attached"):
        scores = []
        for intent, (english, spanish) in INCIDENTS.items():
            said: Sequence[str] = spanish if named == "Spanish" else english
            if named == "attached":
                said = [*said, *chosen.sample([text for text, its in train if its == intent], 5)]
            own = model.embed([text for text, its in test if its == intent])
            described = model.embed(list(said))
            scores.append([_nearest(texts, described) for texts in (own, near_misses, anything)])
        for threshold in THRESHOLDS:
            caught, near, far = (
                float(np.mean([(each[kind] >= threshold).mean() for each in scores])) for kind in range(3)
            )
            print(f"{named:<10}{threshold:>10.2f}{caught:>9.0%}{near * 1000:>21.1f}{far * 1000:>16.2f}")


def _bank(path: Path) -> list[tuple[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["category"]) for row in csv.DictReader(file)]


def _nearest(texts: Any, described: Any) -> Any:
    return (texts @ described.T).max(axis=1)


if __name__ == "__main__":
    main()
