"""The back office of a shop behind HTTP: prices, delivery dates, bank accounts, names for web addresses.

There is no Rust program in this folder:

    pyproc serve examples/typed-service/worker.py

Every function is typed and total: what fits its types has an answer, everything else is refused before the
function runs. So /docs and /openapi.json say all that a client has to know.
"""

import datetime
import enum
import re
import unicodedata
import zlib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from pyproc_worker import expose, run_worker

Cents = Annotated[int, Meta(ge=0, le=2 * 10**15, description="an amount in cents")]
Day = Annotated[datetime.date, Meta(examples=["2026-03-02"])]


class Country(enum.Enum):
    """Where goods are sent."""

    AUSTRIA = "AT"
    FRANCE = "FR"
    GERMANY = "DE"


VAT_PERCENT = {Country.AUSTRIA: 20, Country.FRANCE: 20, Country.GERMANY: 19}
DELIVERY_DAYS = {Country.AUSTRIA: 2, Country.FRANCE: 4, Country.GERMANY: 1}
IBAN_LENGTH = {"AT": 20, "DE": 22, "FR": 27}


class Line(msgspec.Struct, forbid_unknown_fields=True):
    """One line of an order."""

    article: Annotated[str, Meta(min_length=1, max_length=40, examples=["teapot"])]
    price: Annotated[int, Meta(ge=0, le=10**9, description="of one piece, in cents", examples=[2490])]
    quantity: Annotated[int, Meta(ge=1, le=10_000, examples=[2])] = 1


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """What somebody wants to buy."""

    lines: Annotated[list[Line], Meta(min_length=1, max_length=100)]
    country: Country
    voucher_percent: Annotated[int, Meta(ge=0, le=100, description="taken off the goods")] = 0
    note: str | None = None


class Quote(msgspec.Struct):
    """What an order costs."""

    goods: Cents
    discount: Cents
    shipping: Cents
    vat: Annotated[int, Meta(ge=0, description="contained in the total, in cents")]
    total: Cents


@expose
def quote(order: Order) -> Quote:
    """Prices an order: goods, discount, shipping and the tax in it.

    Shipping is free from 50.00 on.
    """
    goods = sum(line.price * line.quantity for line in order.lines)
    discount = goods * order.voucher_percent // 100
    shipping = 0 if goods - discount >= 5000 else 490
    total = goods - discount + shipping
    percent = VAT_PERCENT[order.country]
    return Quote(goods, discount, shipping, vat=total * percent // (100 + percent), total=total)


class Delivery(msgspec.Struct):
    """When a parcel comes."""

    day: datetime.date
    weekday: Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]


@expose
async def delivery(ordered: Day, country: Country, express: bool = False) -> Delivery:
    """The day on which an order arrives; nothing is brought at the weekend."""
    days = DELIVERY_DAYS[country] - (1 if express else 0)
    day = min(ordered, datetime.date(9999, 12, 1))
    while days > 0 or day.isoweekday() > 5:
        day += datetime.timedelta(days=1)
        days -= day.isoweekday() <= 5
    return Delivery(day, day.strftime("%A"))  # type: ignore[arg-type]


class BankAccount(msgspec.Struct):
    """An IBAN that was looked at."""

    valid: bool
    shown: str
    reason: str | None = None


@expose
def check_iban(iban: Annotated[str, Meta(max_length=60, examples=["DE89 3704 0044 0532 0130 00"])]) -> BankAccount:
    """Says whether an IBAN can be right: its country, its length, its check digits."""
    plain = re.sub(r"\s", "", iban).upper()
    shown = " ".join(plain[at : at + 4] for at in range(0, len(plain), 4))
    if not re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]+", plain, re.ASCII):
        return BankAccount(False, shown, "an IBAN is two letters, two digits, then letters and digits")
    length = IBAN_LENGTH.get(plain[:2])
    if length != len(plain):
        return BankAccount(
            False, shown, f"{plain[:2]} has IBANs of {length} characters" if length else "no such country"
        )
    digits = "".join(str(int(character, 36)) for character in plain[4:] + plain[:4])
    right = int(digits) % 97 == 1
    return BankAccount(right, shown, None if right else "the check digits are wrong")


@expose
def slug(
    title: Annotated[str, Meta(max_length=200, examples=["Teapots & Cups"])],
    limit: Annotated[int, Meta(ge=1, le=80)] = 60,
) -> str:
    """A title as it can stand in a web address."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:limit].strip("-")


@expose
def checksum(document: bytes) -> Annotated[int, Meta(ge=0, le=2**32 - 1)]:
    """The CRC-32 of a file, sent as it is."""
    return zlib.crc32(document)


if __name__ == "__main__":
    run_worker()
