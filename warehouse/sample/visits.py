"""What happens to patients: appointments, diagnoses, vaccinations, measurements."""

from collections.abc import Mapping
from random import Random

from warehouse.sample.catalogue import vaccine_name
from warehouse.sample.people import NOTES
from warehouse.sample.practice import Extraction, day

QUARTERS = tuple(f"{minute // 60:02}:{minute % 60:02}" for minute in range(0, 24 * 60 + 1, 15))
DISEASES = (
    ("195967001", "Asthma"),
    ("44054006", "Type 2 diabetes"),
    ("38341003", "Hypertension"),
    ("65363002", "Otitis media"),
    ("24526004", "Gout (inflammatory)"),
    ("43878008", "Strep throat – “sore throat” of tamariki"),
    ("58718002", "Rheumatic fever"),
    ("24079001", "Eczema"),
)
REASONS = ("Check-up", "Repeat | script", "Sore throat", 'Wants to "talk"', "Flu vaccine", "Results ^^ bloods", "")
SITES = ("Left deltoid", "Right deltoid", "Left vastus lateralis", "Oral")
OUTCOMES = ("Normal", "Above range", "Below range", "Repeat in 3/12")


def appointment(number: int, facts: Random, at: Extraction) -> Mapping[str, str]:
    """An appointment that lies ahead is booked or cancelled; its status tells the rest once it is over."""
    scheduled = at.practice.of("Appointments").born(number) + facts.randrange(22)
    quarter = 32 + facts.randrange(36)
    fate = facts.random()
    on = day(scheduled)
    start, end = f"{on} {QUARTERS[quarter]}:00.000", f"{on} {QUARTERS[quarter + 1]}:00.000"
    provider_id, provider = at.provider(facts)
    return {
        "appointment_id": at.key(number),
        "patient_id": at.some("Patient", facts),
        "appointment_type": facts.choice(("Consultation", "Nurse", "Vaccination", "Telephone")),
        "schedule_date": start,
        "start_time": start,
        "end_time": end,
        "duration": "15",
        "provider_id": provider_id,
        "provider": provider,
        "practice": at.practice.name,
        "reasonfor_visit": facts.choice(REASONS),
        "notes": at.chance.choice(NOTES),
        "is_confidential": "1" if fate > 0.99 else "0",
        **at.stamps("Appointments", number),
        **_status(fate, scheduled - at.until, on, QUARTERS[quarter - 1], end),
    }


def _status(fate: float, days_ahead: int, on: str, before: str, end: str) -> dict[str, str]:
    if fate < 0.07:
        return {"appointment_status": "Cancelled", "status_group": "cancelled", "cancel_reason": "By patient"}
    if days_ahead > 0:
        return {"appointment_status": "Booked", "status_group": "active"}
    if fate < 0.13:
        return {"appointment_status": "DNA", "status_group": "no_show", "not_arrived_time": end}
    arrived = {"arrived": f"{on} {before}:30.000", "arrived_time": f"{on} {before}:30.000", "is_arrived": "1"}
    if fate < 0.16 or days_ahead == 0:
        return {"appointment_status": "Arrived", "status_group": "active", **arrived}
    return {
        "appointment_status": "Completed",
        "status_group": "completed",
        "appointment_completed": end,
        "consult_time": str(int(fate * 20)),
        **arrived,
    }


def diagnosis(number: int, facts: Random, at: Extraction) -> Mapping[str, str]:
    stamps = at.stamps("Diagnosis", number)
    code, disease = facts.choice(DISEASES)
    provider_id, provider = at.provider(facts)
    made_on = stamps["inserted_at"][:10]
    return {
        "diagnosis_id": at.key(number),
        "appointment_id": at.some("Appointments", facts) if facts.random() < 0.8 else "",
        "patient_id": at.some("Patient", facts),
        "disease_id": code,
        "disease": disease,
        "diagnosis_date": made_on,
        "on_set_date": made_on if facts.random() < 0.5 else "",
        "diagnosis_by_id": provider_id,
        "diagnosis_by": provider,
        "summary": at.chance.choice(NOTES),
        "is_long_term": "1" if at.chance.random() < 0.4 else "0",
        "is_confidential": "0",
        "diagnosis_type": facts.choice(("Confirmed", "Suspected")),
        "is_mapped": "1",
        "practice": at.practice.name,
        "snomed_id": code,
        "snomed_term": disease,
        "concept_id": code,
        **stamps,
    }


def immunisation(number: int, facts: Random, at: Extraction) -> Mapping[str, str]:
    stamps = at.stamps("Immunisation", number)
    vaccine = 1 + facts.randrange(at.practice.of("Vaccine").first_size)
    name, code = vaccine_name(vaccine)
    provider_id, provider = at.provider(facts)
    status = at.chance.choice(("completed", "completed", "completed", "completed", "pending", "overdue"))
    return {
        "appointment_immunisation_id": at.key(number),
        "patient_id": at.some("Patient", facts),
        "appointment_id": at.some("Appointments", facts),
        "vaccine_id": at.key(vaccine),
        "vaccine_name": name,
        "vaccine_code": code,
        "dose": "0.5",
        "dose_number": "booster" if number % 97 == 0 else str(1 + number % 3),  # a word there becomes empty
        "administration_site": facts.choice(SITES),
        "route": "Intramuscular",
        "batch_number": f"00{facts.randrange(10_000):04}Z",
        "immunisation_status": status,
        "provider_id": provider_id,
        "provider": provider,
        "comments": at.chance.choice(NOTES),
        "administration_time": stamps["inserted_at"] if status == "completed" else "",
        "is_confidential": "0",
        "practice": at.practice.name,
        "show_on_portal": "1",
        **stamps,
    }


def measurement(number: int, facts: Random, at: Extraction) -> Mapping[str, str]:
    stamps = at.stamps("Measurements", number)
    provider_id, provider = at.provider(facts)
    return {
        "screening_id": at.key(number),
        "patient_id": at.some("Patient", facts),
        "appointment_id": at.some("Appointments", facts),
        "screening_date": stamps["inserted_at"][:10],
        "screening_group": "Clinical",
        "outcome": at.chance.choice(OUTCOMES),
        "notes": NOTES[number % len(NOTES)],
        "practice": at.practice.name,
        "provider_id": provider_id,
        "provider_name": provider,
        "is_confidential": "0",
        "is_patient_portal": "1",
        **_screening(number % 5, facts),
        **stamps,
    }


def _screening(kind: int, facts: Random) -> dict[str, str]:
    if kind == 0:
        high, low = facts.randint(95, 185), facts.randint(55, 105)
        return {"scncode": "BP", "screening_type": "Blood pressure", "field1": str(high), "field2": str(low)}
    if kind == 1:
        level = str(facts.randint(28, 110))
        return {"scncode": "HBA1C", "screening_type": "HbA1c", "field1": level, "hba1c": level}
    if kind == 2:
        return {"scncode": "WT", "screening_type": "Weight", "field1": f"{facts.uniform(3, 140):.1f}", "field2": "kg"}
    if kind == 3:
        return {"scncode": "HT", "screening_type": "Height", "field1": f"{facts.uniform(48, 201):.0f}", "field2": "cm"}
    return {"scncode": "SMK", "screening_type": "Smoking", "field1": facts.choice(("Never", "Ex", "<10 a day", "10+"))}
