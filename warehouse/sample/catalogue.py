"""What a practice prescribes and vaccinates with."""

from collections.abc import Mapping
from random import Random

from warehouse.sample.practice import Extraction

MEDICINES = (
    *("Paracetamol", "Ibuprofen", "Amoxicillin", "Metformin", "Omeprazole", "Simvastatin", "Salbutamol", "Cetirizine"),
    *("Atorvastatin", "Losartan", "Amlodipine", "Doxycycline", "Prednisone", "Sertraline", "Levothyroxine"),
)
FORMS = ("tablet", "capsule", "oral liquid", "cream 1 %", 'inhaler, "easy breathe"', "tablet, coated")
# name, code, given to
VACCINES = (
    ("Influenza, inactivated", "INF", "All"),
    ("Measles, mumps, rubella", "MMR", "All"),
    ("Human papillomavirus 9", "HPV", "All"),
    ("Tetanus, diphtheria, pertussis", "TDAP", "All"),
    ("Rotavirus, oral", "RV1", "All"),
    ("Varicella", "VAR", "All"),
    ("Zoster, recombinant", "RZV", "All"),
    ("Pneumococcal, 13-valent", "PCV13", "All"),
    ("Meningococcal B", "MENB", "All"),
    ("COVID-19, mRNA", "COV", "All"),
    ("Pertussis in pregnancy", "TDAPP", "Female"),
)


def medicine(number: int, facts: Random, at: Extraction) -> Mapping[str, str]:
    name, strength, form = MEDICINES[number % len(MEDICINES)], 5 * (1 + number // 15 % 40), FORMS[number % len(FORMS)]
    return {
        "medicine_id": at.key(number),
        "medicine_name": f"{name} {strength} mg {form}",
        "medicine_short_name": f"{name} {strength}",
        "sct_id": str(10_000_000_000_000_000 + number),  # longer than a float holds
        "type": "Medicine",
        "pharma_code": f"0{2_000_000 + number}",
        "is_active": "0" if at.chance.random() < 0.05 else "1",
        "is_deleted": "0",
        **at.tenancy(),
    }


def vaccine(number: int, facts: Random, at: Extraction) -> Mapping[str, str]:
    name, code = vaccine_name(number)
    gender = VACCINES[number % len(VACCINES)][2]
    return {
        "vaccine_id": at.key(number),
        "vaccine_code": code,
        "vaccine_name": name,
        "long_description": f"{name}\r\nKeep at 2 to 8 °C | do not freeze",
        "is_active": "0" if at.chance.random() < 0.05 else "1",
        "is_deleted": "0",
        "coding_system": "NIR",
        "gender": gender,
        "is_nir": "1",
        **at.tenancy(),
    }


def vaccine_name(number: int) -> tuple[str, str]:
    """Name and code; a vaccine of the next brand has the next number."""
    name, code, _gender = VACCINES[number % len(VACCINES)]
    brand = number // len(VACCINES)
    return (f"{name}, brand {brand}", f"{code}-{brand}") if brand else (name, code)
