"""Invoices of two lines each; a total is the sum of its lines, and every 25th invoice is a credit note."""

from collections.abc import Mapping
from random import Random

from warehouse.sample.practice import Extraction

LINES = 2
CREDIT = 25
# code, service, cents
SERVICES = (
    ("CONS", "Consultation", 1950),
    ("CONSU", "Consultation, under 14", 0),
    ("NURSE", "Nurse visit", 1500),
    ("RX", 'Repeat prescription "no visit"', 2250),
    ("ACC", "ACC surcharge | co-payment", 2800),
    ("MED", "Driver's medical\r\n(form DL9)", 9500),
    ("HOME", "Home visit", 12_550),
)


def invoice(number: int, facts: Random, at: Extraction) -> Mapping[str, str]:
    stamps = at.stamps("Invoices", number)
    total = sum(cents(line) for line in (number * LINES - 1, number * LINES))
    paid = total < 0 or at.chance.random() < 0.7
    provider_id, provider = at.provider(facts)
    return {
        "invoice_transaction_id": at.key(number),
        "patient_id": at.some("Patient", facts),
        "ac_date": stamps["inserted_at"][:10],
        "payment_mode": facts.choice(("EFTPOS", "Cash", "Account", "Bank transfer")) if paid else "",
        "total_amount": money(total),
        "unpaid_amount": money(0 if paid else total),
        "description": "Credit note" if total < 0 else "Invoice",
        "invoice_payment_no": f"{number:08}",
        "provider_id": provider_id,
        "provider": provider,
        "income_provider": provider,
        "domicile_code": "0713",
        "transaction_type": "Credit" if total < 0 else "Invoice",
        "notes": "Disputed,\nsee “letter”" if at.chance.random() < 0.03 else "",
        **stamps,
    }


def invoice_detail(number: int, facts: Random, at: Extraction) -> Mapping[str, str]:
    code, service, _price = SERVICES[number * 5 % len(SERVICES)]
    amount = money(cents(number))
    return {
        "invoice_detail_id": at.key(number),
        "invoice_transaction_id": at.key((number + 1) // LINES),
        "quantity": "-1" if cents(number) < 0 else "1",
        "claim_amount": amount,
        "co_payment": amount,
        "gross_claim_amount": amount,
        "gross_co_payment": amount,
        "is_billing_amount": "1",
        "is_funded": "1" if code == "CONSU" else "0",
        "funder_name": "Health NZ" if code == "CONSU" else "",
        "submission_status": at.chance.choice(("Submitted", "Submitted", "Accepted", "Queried")),
        "sequence_no": str(1 + (number + 1) % LINES),
        "service_name": service,
        "service_code": code,
        "fee_code": f"0{len(code)}",
        "duration": "15",
        **at.stamps("InvoiceDetail", number),
    }


def cents(line: int) -> int:
    """What a line costs, by its number; the lines of a credit note are negative."""
    price = SERVICES[line * 5 % len(SERVICES)][2]
    return -price if (line + 1) // LINES % CREDIT == 0 else price


def money(amount: int) -> str:
    return f"{amount / 100:.2f}"
