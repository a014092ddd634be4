"""Invented people: patients, providers and their practice.

NHI numbers are of the range kept for tests (Z…), telephone numbers and e-mail addresses lead nowhere.
"""

from collections.abc import Mapping
from datetime import date
from random import Random

from warehouse.sample.practice import Extraction, day

WOMEN = (
    *("Aroha", "Māia", "Anahera", "Mereana", "Hinewai", "Ngāio", "Tūī", "Kōwhai", "Roimata", "Ārita", "Marama"),
    *("Florence", "Ida", "Priya", "Leilani", "Beatrix", "Winifred", "Mei", "Sina", "Odette", "Ngaire", "Zoë"),
)
MEN = (
    *("Tāne", "Hōne", "Wiremu", "Tama", "Rāwiri", "Mānuka", "Kahurangi", "Tōtara", "Pita", "Hēmi", "Ariki"),
    *("Edmund", "Oswin", "Arjun", "Sione", "Bram", "Caspian", "Wei", "Ioane", "Lachlan", "Jürgen", "Ned"),
)
FAMILIES = (
    *("Rākaunui-Dale", "Kōtukurua", "Tōtarapoto", "Wāhiroa", "Pūriritahi", "Māhoewhiti", "Ōkōwhai", "Hīnaunui"),
    *("Brackenby", "Tidewell", "Harrowfen", "O'Ketterick", "van der Moss", "Fernsby", "Quillarn", "Saltmarch"),
    *("Patelwood", "Faleafi", "Lindqvale", "Oakhollow", "Wrenfield", "Zhaoming", "Pebbleton", "Ashgrove-Wāka"),
)
PLAIN = str.maketrans("āēīōūĀĒĪŌŪëü", "aeiouAEIOUeu", "' ")
# suburb, town, postcode, domicile, latitude, longitude
PLACES = (
    ("Ōtūmoetai", "Tauranga", "3110", "1204", -37.66, 176.14),
    ("Bethlehem", "Tauranga", "3110", "1206", -37.69, 176.11),
    ("Gate Pā", "Tauranga", "3112", "1215", -37.72, 176.14),
    ("Welcome Bay", "Tauranga", "3112", "1219", -37.73, 176.19),
    ("Mount Maunganui", "Tauranga", "3116", "1230", -37.64, 176.19),
    ("Pāpāmoa Beach", "Pāpāmoa", "3118", "1236", -37.70, 176.28),
    ("Te Puke", "Te Puke", "3119", "1241", -37.78, 176.33),
    ("Coastlands", "Whakatāne", "3120", "1252", -37.95, 177.00),
    ("Ōhope", "Whakatāne", "3121", "1255", -37.97, 177.04),
    ("Ōpōtiki", "Ōpōtiki", "3122", "1259", -38.00, 177.28),
    ("Katikati", "Katikati", "3129", "1201", -37.55, 175.92),
    ("Te Atatū South", "Auckland", "0610", "0713", -36.86, 174.65),
    ("Kamo", "Whangārei", "0112", "0121", -35.68, 174.30),
)
STREETS = ("Kererū Rise", "Saltwind Road", "Pīwakawaka Lane", "Old Ferry Street", "Harakeke Way", "Lantern Close")
ETHNICITIES = (
    *(("21", "Māori"), ("21", "Māori"), ("11", "NZ European / Pākehā"), ("11", "NZ European / Pākehā")),
    *(
        ("11", "NZ European / Pākehā"),
        ("31", "Samoan"),
        ("32", "Cook Islands Māori"),
        ("42", "Chinese"),
        ("43", "Indian"),
    ),
)
CODES = {ethnicity: code for code, ethnicity in ETHNICITIES}
NOTES = (
    *("", "", "", "", "", "", "Prefers mornings."),
    'Says "call me after five", please.',
    "Moved house.\r\nNew address to be confirmed,\r\nsee letter.",
    "Whānau support | transport ^^ needed",
    '"Kia ora"\nopens with a quote',
    "Reads large print; pipe | and caret ^^ typed by mistake",
    "Kōrero with whānau 3/4 – agreed, wait ≥ 2 weeks",
)
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # an NHI has no I and no O
PROVIDERS_FROM = 5_500_000  # in the NHI range, above all patients
FUTURE_BIRTH, IMPLAUSIBLE_BIRTH = 17, 18  # of every 400 patients


def nhi(number: int) -> str:
    """A number of the test range, another one for each `number` below 5,760,000; every eighth in the form of 2026."""
    letters, digits = divmod(number, 10_000)
    start = f"Z{LETTERS[letters // 24 % 24]}{LETTERS[letters % 24]}"
    if number % 8 == 0:
        return f"{start}{digits // 100:02}{LETTERS[digits % 24]}{LETTERS[digits // 24 % 24]}"
    return f"{start}{digits:04}"


def person(number: int, facts: Random) -> dict[str, str]:
    """The names and the sex of a person, and how to reach them."""
    woman = facts.random() < 0.52
    first, middle = facts.sample(WOMEN if woman else MEN, 2)
    family = facts.choice(FAMILIES)
    return {
        "title": ("Ms" if facts.random() < 0.6 else "Mrs") if woman else "Mr",
        "first_name": first,
        "middle_name": middle,
        "family_name": family,
        "full_name": f"{first} {family}",
        "preferred_name": first[:3] if number % 9 == 0 else "",
        "gender": "Female" if woman else "Male",
        "sex_related_gender": "Female" if woman else "Male",
        "email": f"{first}.{family}{number}@example.org".translate(PLAIN),
        "cell_number": f"+64 21 000 {number % 10_000:04}",
        "ethnicity": facts.choice(ETHNICITIES)[1],
        "is_alive": "1",
    }


def patient(number: int, facts: Random, at: Extraction) -> Mapping[str, str]:
    who = person(number, facts)
    known_since = at.practice.of("Patient").born(number)
    provider_id, provider = at.provider(facts)
    balance = f"{at.chance.choice((0, 0, 0, 19.5, 42, -12.75)):.2f}"
    stamps = at.stamps("Patient", number)
    return {
        "patient_id": at.key(number),
        **who,
        **_age(_birth(number, facts, known_since), at.until),
        "nhi_number": nhi(number * 2 + at.practice.place),
        "is_nhi_validate": "1",
        "gender_id": "1" if who["gender"] == "Female" else "2",
        "marital_status": facts.choice(("", "Married", "Never married", "Civil union", "Widowed")),
        "country_of_birth": facts.choice(("New Zealand", "New Zealand", "New Zealand", "Samoa", "India", "Other")),
        "day_phone": f"+64 21 000 {number * 7 % 10_000:04}",
        "preferred_contact_method": facts.choice(("Text", "Email", "Phone")),
        "consent_text_messaging": "1" if facts.random() < 0.8 else "0",
        "is_portal_user": "1" if facts.random() < 0.4 else "0",
        "notes": at.chance.choice(NOTES),
        "balance": balance,
        "calculated_balance": balance,
        "register_status": "Registered",
        "enrolment_status": "Enrolled" if facts.random() < 0.9 else "Casual",
        "enrolment_date": stamps["inserted_at"][:10],
        "registration_date": stamps["inserted_at"][:10],
        "funding_status": "Funded",
        "practice_name": at.practice.name,
        "chart_number": f"{number:06}",
        "provider_id": provider_id,
        "provider_name": provider,
        "smoking_type": facts.choice(("Never smoked", "Ex-smoker", "Current smoker", "")),
        "is_community_service_card": "1" if facts.random() < 0.3 else "0",
        "occupation": facts.choice(("", "Orchardist", "Teacher", "Boat builder", "Retired", "Kaiako")),
        "emergency_contact": f"+64 21 000 {number * 3 % 10_000:04}",
        "emergency_contact_name": f"{facts.choice(WOMEN + MEN)} {who['family_name']}",
        "ethcode": CODES[who["ethnicity"]],
        "pho_name": "Poutokomanawa Invented PHO",
        "is_consent_to_share": "1",
        "is_test_record": "0",
        **_address(facts, at.chance.random() < 0.02),
        **stamps,
        **_death(number, facts, at, known_since),
    }


def provider(number: int, facts: Random, at: Extraction) -> Mapping[str, str]:
    who = provider_identity(number, facts)
    return {
        "provider_id": at.key(number),
        **who,
        "nhi_number": nhi(PROVIDERS_FROM + number * 2 + at.practice.place),
        "dob": day(at.practice.opened - 10_000 - facts.randrange(12_000)),
        "nzmc_no": f"{number * 37:05}",
        "provider_code": f"{who['first_name'][0]}{who['family_name'][0]}{number:02}".translate(PLAIN).upper(),
        "practice_name": at.practice.name,
        "notes": at.chance.choice(NOTES),
        **at.stamps("Provider", number),
    }


def provider_identity(number: int, facts: Random) -> dict[str, str]:
    who = person(number, facts)
    if facts.random() < 0.4:
        return {**who, "is_doctor": "0", "user_role": "Practice nurse"}
    doctor = {"title": "Dr", "full_name": f"Dr {who['full_name']}", "is_doctor": "1"}
    return {**who, **doctor, "user_role": "General practitioner"}


def practice_info(number: int, facts: Random, at: Extraction) -> Mapping[str, str]:
    return {
        **at.tenancy(),
        "practice_name": at.practice.name,
        "practice_category": "General practice",
        "pho": "Poutokomanawa Invented PHO",
        "org_code": f"0{at.practice.id}",
        "legal_status": "Charitable trust",
        "ownership_model": "Community",
        "rural": "1",
        "primary_phone": f"+64 21 000 0{at.practice.id}",
        "primary_email": f"Reception{at.practice.id}@example.org",
        "comments": at.chance.choice(NOTES),
        "is_active": "1",
        "is_deleted": "0",
    }


def _birth(number: int, facts: Random, known_since: int) -> int:
    if number % 400 == FUTURE_BIRTH:
        return known_since + 1500 + number % 90
    if number % 400 == IMPLAUSIBLE_BIRTH:
        return date(1801, 1, 1).toordinal()
    return known_since - 30 - int(facts.triangular(0, 96 * 365, 38 * 365))


def _age(born: int, today: int) -> dict[str, str]:
    years = (today - born) // 365
    if not 0 <= years < 130:
        return {"dob": day(born)}
    low = min(years // 5 * 5, 85)
    return {
        "dob": day(born),
        "age": str(years),
        "age_type": "Year(s)",
        "age_group": "85+" if low == 85 else f"{low:02}-{low + 4:02}",
    }


def _address(facts: Random, moved: bool) -> dict[str, str]:
    places = facts.sample(PLACES, 2)
    suburb, town, postcode, domicile, latitude, longitude = places[1 if moved else 0]
    house, street, offset = str(facts.randint(1, 240)), facts.choice(STREETS), facts.random() / 50
    quintile = facts.randint(1, 5)
    where = {
        "house_number": house,
        "street_number": street,
        "suburb": suburb,
        "city": town,
        "postal_code": postcode,
        "country": "New Zealand",
        "domicile_code": domicile,
        "latitude": f"{latitude + offset:.8f}",
        "longitude": f"{longitude - offset:.8f}",
        "deprivation_quintile": str(quintile),
        "deprivation_decile": str(quintile * 2),
    }
    full = f"{house} {street}, {suburb}, {town} {postcode}"
    kinds = ("permanent_address", "postal_address")
    return {f"{kind}_{part}": text for kind in kinds for part, text in where.items()} | dict.fromkeys(kinds, full)


def _death(number: int, facts: Random, at: Extraction, known_since: int) -> dict[str, str]:
    """One in seventy has died, most in the year before the baseline."""
    if number % 70 != 33:
        return {}
    died = max(known_since, at.practice.opened - facts.randrange(1, 300))
    return {"is_alive": "0", "death_date": day(died), "is_active": "0"}
