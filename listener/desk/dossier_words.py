"""The words of what is handed to a person, in Spanish and English."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Words:
    """One language's."""

    title: str
    intro: str
    left_out: str
    nothing: str
    pictures: str
    files: str
    kinds: dict[str, str]
    columns: dict[str, str]


ES = Words(
    title="Sus datos en {company}",
    intro="Esto es lo que {company} guarda sobre usted el {day}. Cada apartado está también como archivo CSV (para "
    "una hoja de cálculo) y JSON (para programas).",
    left_out="No se incluye lo que otras personas escribieron, ni las notas internas de trabajo que podrían repetirlo.",
    nothing="No hay nada de esto.",
    pictures="Imágenes que le enviamos",
    files="Archivos",
    kinds={
        "record": "Su ficha",
        "contact_points": "Cómo le contactamos",
        "consents": "Lo que permitió",
        "notes": "Lo que anotamos en su ficha",
        "contracts": "Sus contratos",
        "products": "Sus productos",
        "payments": "Sus pagos",
        "other_systems": "Otros sistemas que le conocen",
        "accounts": "Sus cuentas en las redes",
        "posts": "Lo que escribió",
        "earlier_versions": "Versiones anteriores de lo que escribió",
        "readings": "Lo que un programa leyó en ello",
        "answers": "Lo que le respondimos",
        "cases": "Sus casos",
        "incidents": "Incidencias que le afectaron",
        "log": "Qué se hizo con su ficha y cuándo se miró",
    },
    columns={
        "reference": "referencia",
        "name": "nombre",
        "email": "correo",
        "phone": "teléfono",
        "language": "idioma",
        "tier": "categoría",
        "tags": "etiquetas",
        "fields": "otros datos",
        "since": "cliente desde",
        "added_at": "añadido",
        "kind": "tipo",
        "written": "dirección o número",
        "preferred": "preferido",
        "do_not_use": "no usar",
        "verified_at": "comprobado",
        "channel": "canal",
        "purpose": "para qué",
        "given": "permitido",
        "at": "cuándo",
        "source": "según",
        "text": "texto",
        "product": "producto",
        "begins_on": "desde",
        "ends_on": "hasta",
        "last_on": "último pago",
        "last_amount": "importe",
        "arrears": "deuda",
        "arrears_since": "deuda desde",
        "currency": "moneda",
        "system": "sistema",
        "record": "ficha allí",
        "network": "red",
        "handle": "cuenta",
        "display_name": "nombre allí",
        "url": "enlace",
        "followers": "seguidores",
        "first_seen_at": "vista por primera vez",
        "left_alone_at": "pidió que no le respondamos",
        "how_we_know": "cómo lo sabemos",
        "linked_at": "enlazada",
        "id": "número",
        "post": "escrito número",
        "posted_at": "escrito",
        "visibility": "visible para",
        "content_warning": "aviso",
        "media": "imágenes",
        "gone_at": "borrado",
        "revision": "versión",
        "replaced_at": "cambiado",
        "sentiment": "ánimo",
        "intents": "intención",
        "signals": "señales",
        "areas": "asunto",
        "model_version": "programa",
        "urgency": "urgencia",
        "left_because": "no se respondió porque",
        "recipient": "a",
        "subject": "tema",
        "sent_at": "enviado",
        "posted_url": "enlace",
        "automatic": "automática",
        "state": "estado",
        "title": "título",
        "team": "equipo",
        "opened_at": "abierto",
        "first_response_at": "primera respuesta",
        "resolved_at": "resuelto",
        "began_at": "desde",
        "ended_at": "hasta",
        "action": "qué",
    },
)
EN = Words(
    title="Your data at {company}",
    intro="This is what {company} holds about you on {day}. Each part is also there as a CSV file (for a spreadsheet) "
    "and a JSON file (for programs).",
    left_out="What other people wrote is not part of it, nor are internal notes of work that may repeat it.",
    nothing="There is nothing of this kind.",
    pictures="Pictures that we sent you",
    files="Files",
    kinds={
        "record": "Your record",
        "contact_points": "How we reach you",
        "consents": "What you allowed",
        "notes": "What we noted on your record",
        "contracts": "Your contracts",
        "products": "Your products",
        "payments": "Your payments",
        "other_systems": "Other systems that know you",
        "accounts": "Your accounts on networks",
        "posts": "What you wrote",
        "earlier_versions": "Earlier versions of what you wrote",
        "readings": "What a program read in it",
        "answers": "What we answered",
        "cases": "Your cases",
        "incidents": "Incidents that affected you",
        "log": "What was done with your record, and when it was looked at",
    },
    columns={name: name.replace("_", " ") for name in ES.columns},
)


def of(language: str) -> Words:
    """The words of that language; English where we have none in it."""
    return ES if language.casefold().startswith("es") else EN
