"""An invoice as a PDF: A4, in the organization's language, the same bytes whenever it is rendered."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

import font_roboto  # type: ignore[import-untyped]
from fpdf import FPDF
from fpdf.enums import XPos, YPos

from flotilla_billing.domain.invoices import Invoice, Party
from flotilla_billing.domain.money import major

FONTS: Final = Path(font_roboto.__file__).parent / "files"
"""Roboto: Latin, Greek and Cyrillic."""
WIDTHS: Final = (84.0, 20.0, 28.0, 16.0, 32.0)
"""Of the table's columns, in millimetres: 180 together."""
LINE: Final = 5.5

_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "en": ("Invoice", "Date", "Due", "To", "Description", "Quantity", "Price", "Tax", "Amount", "Net", "Total",
           "Tax no.", "Page"),
    "de": ("Rechnung", "Datum", "Fällig", "An", "Beschreibung", "Menge", "Preis", "USt.", "Betrag", "Netto",
           "Gesamtbetrag", "USt-IdNr.", "Seite"),
    "fr": ("Facture", "Date", "Échéance", "À", "Désignation", "Quantité", "Prix", "TVA", "Montant", "Total HT",
           "Total TTC", "N° TVA", "Page"),
    "uk": ("Рахунок", "Дата", "Сплатити до", "Кому", "Опис", "Кількість", "Ціна", "ПДВ", "Сума", "Без податку",
           "Разом", "Податковий №", "Сторінка"),
    "ru": ("Счёт", "Дата", "Оплатить до", "Кому", "Описание", "Количество", "Цена", "НДС", "Сумма", "Без налога",
           "Итого", "Налоговый №", "Страница"),
}  # fmt: skip
_NAMES: Final = (
    "invoice", "date", "due", "to", "description", "quantity", "price", "tax", "amount", "net", "total", "tax_id",
    "page",
)  # fmt: skip
_COMMA: Final = frozenset({"de", "fr", "uk", "ru"})
"""Languages that write 1.5 as 1,5."""


class _Page(FPDF):
    """A4 with the invoice's name and the page's number at its foot."""

    def __init__(self, words: dict[str, str], name: str) -> None:
        super().__init__("P", "mm", "A4")
        self._foot = f"{name}   ·   {words['page']} "
        self.set_margins(15, 15)
        self.set_auto_page_break(True, 20)
        self.add_font("roboto", "", FONTS / "Roboto-Regular.ttf")
        self.add_font("roboto", "B", FONTS / "Roboto-Bold.ttf")

    def footer(self) -> None:
        """The foot of each page."""
        self.set_y(-14)
        self.set_font("roboto", "", 8)
        self.cell(0, LINE, f"{self._foot}{self.page_no()}", align="R")


def render(invoice: Invoice) -> bytes:
    """The PDF of an issued invoice; CPU work of some 100 ms, for a thread."""
    assert invoice.name is not None
    assert invoice.issued_at is not None
    language = invoice.locale.split("-")[0].lower()
    language = language if language in _WORDS else "en"
    words = dict(zip(_NAMES, _WORDS[language], strict=True))
    document = _Page(words, invoice.name)
    document.set_creation_date(invoice.issued_at)  # not the time of rendering: the bytes stay the same
    document.set_title(f"{words['invoice']} {invoice.name}")
    document.set_author(invoice.issuer.name)
    document.set_lang(language)
    document.add_page()
    _head(document, invoice, words)
    _table(document, invoice, words, language)
    _sums(document, invoice, words, language)
    if invoice.note:
        document.ln(LINE * 2)
        document.set_font("roboto", "", 9)
        document.multi_cell(0, LINE, invoice.note, align="L")
    return bytes(document.output())


def _head(document: FPDF, invoice: Invoice, words: dict[str, str]) -> None:
    document.set_font("roboto", "B", 12)
    _write(document, invoice.issuer.name)
    document.set_font("roboto", "", 9)
    _write(document, _details(invoice.issuer, words))
    document.ln(LINE * 2)
    document.set_font("roboto", "", 8)
    _write(document, words["to"])
    document.set_font("roboto", "B", 11)
    _write(document, invoice.customer.name)
    document.set_font("roboto", "", 9)
    _write(document, _details(invoice.customer, words))
    document.ln(LINE * 2)
    document.set_font("roboto", "B", 18)
    _write(document, f"{words['invoice']} {invoice.name}", 9)
    document.set_font("roboto", "", 10)
    _write(document, f"{words['date']}: {_day(invoice.issued_on)}     {words['due']}: {_day(invoice.due_on)}")
    document.ln(LINE)


def _details(party: Party, words: dict[str, str]) -> str:
    tax = f"{words['tax_id']} {party.tax_id}" if party.tax_id else ""
    return "\n".join(part for part in (party.address, tax, party.email) if part)


def _table(document: FPDF, invoice: Invoice, words: dict[str, str], language: str) -> None:
    names = ("description", "quantity", "price", "tax", "amount")
    document.set_font("roboto", "", 9)
    document.set_draw_color(200)
    with document.table(
        width=sum(WIDTHS),
        col_widths=WIDTHS,
        text_align=("LEFT", "RIGHT", "RIGHT", "RIGHT", "RIGHT"),
        borders_layout="HORIZONTAL_LINES",
        line_height=LINE,
        padding=1,
    ) as table:
        table.row([words[name] for name in names])
        for line in invoice.lines:
            table.row(
                [
                    line.description,
                    _number(line.quantity, language),
                    _money(line.unit_price, invoice, language),
                    f"{_number(line.tax_rate, language)} %",
                    _money(line.net, invoice, language),
                ]
            )
    document.ln(LINE / 2)


def _sums(document: FPDF, invoice: Invoice, words: dict[str, str], language: str) -> None:
    sums = [(words["net"], invoice.totals.net)]
    sums += [(f"{words['tax']} {_number(part.rate, language)} %", part.tax) for part in invoice.totals.parts]
    for name, amount in sums:
        _sum(document, name, _money(amount, invoice, language))
    document.set_font("roboto", "B", 11)
    total = f"{_money(invoice.totals.total, invoice, language)} {invoice.currency}"
    _sum(document, words["total"], total)


def _sum(document: FPDF, name: str, amount: str) -> None:
    document.cell(130, LINE + 1, name, align="R")
    document.cell(50, LINE + 1, amount, align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _write(document: FPDF, text: str, height: float = LINE) -> None:
    if text:
        document.multi_cell(0, height, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""


def _money(amount_minor: int, invoice: Invoice, language: str) -> str:
    return _number(Decimal(major(amount_minor, invoice.currency)), language, grouped=True)


def _number(number: Decimal, language: str, *, grouped: bool = False) -> str:
    """With the language's decimal sign; thousands set apart by a no-break space."""
    text = f"{number:,f}" if grouped else f"{number.normalize():f}"
    text = text.replace(",", "\N{NO-BREAK SPACE}")
    return text.replace(".", ",") if language in _COMMA else text
