"""What a hostile requester may do to the subject: who it says it is, and how it writes that."""

from dataclasses import replace
from random import Random

from support.csrs import CN, OU, O
from support.mutants.drafts import Attribute, Draft, Mutation
from towline_certs import Subject

_FOREIGN_ATTRIBUTES = (
    "2.5.4.6",
    "2.5.4.5",
    "2.5.4.7",
    "2.5.4.41",
    "1.2.840.113549.1.9.1",
    "0.9.2342.19200300.100.1.1",
    "0.9.2342.19200300.100.1.25",
    "2.5.4.97",
)
_STRING_TYPES = (0x12, 0x13, 0x14, 0x16, 0x19, 0x1A, 0x1B, 0x1C, 0x1E, 0x04, 0x2C, 0x0D, 0x02, 0x03)
_LOOK_ALIKES = {
    "a": "\u0430\u0251\uff41",
    "c": "\u0441\u217d\uff43\u03f2",
    "e": "\u0435\uff45\u212e",
    "g": "\u0261\uff47",
    "h": "\u04bb\uff48",
    "l": "\u04cf\u217c\uff4c1I",
    "m": "\uff4d\u217f",
    "n": "\u0578\uff4e",
    "o": "\u043e\u03bf\uff4f0",
    "s": "\u0455\uff53",
    "t": "\uff54\u03c4",
    "u": "\u057d\uff55",
    "y": "\u0443\uff59",
    "1": "l\uff11\u00b9",
    "-": "\u2010\u2011\u2013\u2212",
    ":": "\uff1a\u02d0\u2236",
    "q": "\u051b",
    "k": "\u03ba",
    "2": "\uff12",
    "7": "\uff17",
    "x": "\u0445\uff58\u00d7",
}
_INVISIBLE = (
    "\u200b",
    "\u200d",
    "\u2060",
    "\ufeff",
    "\u00ad",
    "\u202e",
    "\u0301",
    "\u180e",
    "\x00",
    "\x7f",
    "\n",
    "\t",
    " ",
    "\u00a0",
)
_OTHER_GROUPS = (
    "system:masters",
    "system:nodes",
    "system:authenticated",
    "system:unauthenticated",
    "system:open-cluster-management:c2",
    "system:open-cluster-management:c1",
    "system:open-cluster-management:c1:",
    "system:open-cluster-management:c10",
    "system:open-cluster-management:managed-clusters",
    "system:open-cluster-management:addon:hello",
    "system:open-cluster-management:addon:other",
    "system:open-cluster-management:cluster:c1:addon:hello",
    "system:open-cluster-management:cluster:c2:addon:hello",
    "team",
    "unit",
    "",
)
_OTHER_NAMES = (
    "system:admin",
    "kubernetes-admin",
    "system:node:c1",
    "system:kube-controller-manager",
    "system:open-cluster-management:c1:x7kq2",
    "system:open-cluster-management:c1:another",
    "system:open-cluster-management:c2:x7kq2",
    "system:open-cluster-management:c10:x7kq2",
    "system:open-cluster-management:c1",
    "system:open-cluster-management:c1:",
    "system:open-cluster-management:c1:x7kq2:",
    "system:open-cluster-management:c1:x:y",
    "system:open-cluster-management:c1:-x",
    "system:open-cluster-management:managed-clusters:x",
    "system:open-cluster-management::x7kq2",
    "system:open-cluster-management:C1:x7kq2",
    "system:open-cluster-management:c1.:x7kq2",
    "system:open-cluster-management:cluster:c1:addon:hello:agent:hello",
    "system:open-cluster-management:cluster:c1:addon:hello:agent:other",
    "system:open-cluster-management:cluster:c2:addon:hello:agent:hello",
    "system:open-cluster-management:cluster:c1:addon:other:agent:hello",
    "system:open-cluster-management:cluster:c1:addon:hello:agent:",
    "system:open-cluster-management:cluster:c1:addon:hello:agent:a:b",
    "any user",
    "Any user",
    "any user ",
    "",
)


def drop_attribute(rng: Random, draft: Draft) -> None:
    """Leave one attribute out."""
    rdn = rng.choice(_sets(draft))
    rdn.pop(rng.randrange(len(rdn)))
    if not rdn and rng.random() < 0.7:
        draft.rdns = [each for each in draft.rdns if each]


def drop_all(rng: Random, draft: Draft) -> None:
    """Leave the subject, or one kind of its attributes, out."""
    oid = rng.choice([CN, O, OU, ""])
    draft.rdns = [rdn for rdn in draft.rdns if oid and rdn and rdn[0].oid != oid]


def repeat_attribute(rng: Random, draft: Draft) -> None:
    """Say one attribute twice, in its set or in one of its own."""
    rdn = rng.choice(_sets(draft))
    again = rng.choice(rdn)
    if rng.random() < 0.5:
        rdn.append(again)
    else:
        draft.rdns.insert(rng.randrange(len(draft.rdns) + 1), [again])


def reorder(rng: Random, draft: Draft) -> None:
    """Write the same subject in another order: harmless."""
    rng.shuffle(draft.rdns)


def one_set_each(rng: Random, draft: Draft) -> None:
    """Give each attribute a set of its own: harmless."""
    draft.rdns = [[each] for rdn in draft.rdns for each in rdn]
    rng.shuffle(draft.rdns)


def mix_sets(rng: Random, draft: Draft) -> None:
    """Put attributes of several types into one set."""
    attributes = [each for rdn in _sets(draft) for each in rdn]
    rng.shuffle(attributes)
    cut = rng.randrange(1, len(attributes) + 1)
    draft.rdns = [part for part in (attributes[:cut], attributes[cut:]) if part]


def add_group(rng: Random, draft: Draft) -> None:
    """Ask for one group more."""
    _add(rng, draft, Attribute(O, rng.choice(_OTHER_GROUPS).encode()))


def replace_group(rng: Random, draft: Draft) -> None:
    """Ask for another group instead of one."""
    _replace(rng, draft, rng.choice(_OTHER_GROUPS), oids=(O,))


def add_unit(rng: Random, draft: Draft) -> None:
    """Ask for an organizational unit."""
    _add(rng, draft, Attribute(OU, rng.choice(_OTHER_GROUPS).encode()))


def replace_common_name(rng: Random, draft: Draft) -> None:
    """Ask for another name."""
    _replace(rng, draft, rng.choice(_OTHER_NAMES), oids=(CN,))


def second_common_name(rng: Random, draft: Draft) -> None:
    """Ask for two names, in the hope that readers differ on which counts."""
    _add(rng, draft, Attribute(CN, rng.choice(_OTHER_NAMES).encode()))


def foreign_attribute(rng: Random, draft: Draft) -> None:
    """Say something else, such as a country or a user id."""
    oid = rng.choice(_FOREIGN_ATTRIBUTES)
    _add(rng, draft, Attribute(oid, rng.choice([b"DE", b"root", b"a@b.c"]), rng.choice([12, 0x13])))


def another_string_type(rng: Random, draft: Draft) -> None:
    """Write a value in a string type that readers understand differently, or not."""
    where, position, old = _pick(rng, draft)
    tag = rng.choice(_STRING_TYPES)
    text = old.value.decode(errors="replace")
    codec = {0x1E: "utf-16-be", 0x1C: "utf-32-be"}.get(tag)
    value = text.encode(codec) if codec and rng.random() < 0.8 else old.value
    draft.rdns[where][position] = Attribute(old.oid, value, tag)


def look_alike(rng: Random, draft: Draft) -> None:
    """Replace a letter by one that looks the same."""
    where, position, old = _pick(rng, draft)
    text = list(old.value.decode(errors="replace"))
    places = [index for index, letter in enumerate(text) if letter in _LOOK_ALIKES]
    if places:
        place = rng.choice(places)
        text[place] = rng.choice(_LOOK_ALIKES[text[place]])
    draft.rdns[where][position] = Attribute(old.oid, "".join(text).encode(), old.tag)


def invisible_character(rng: Random, draft: Draft) -> None:
    """Slip in a character that nobody sees."""
    where, position, old = _pick(rng, draft)
    text = old.value.decode(errors="replace")
    place = rng.choice([0, len(text), rng.randrange(len(text) + 1)])
    text = text[:place] + rng.choice(_INVISIBLE) + text[place:]
    draft.rdns[where][position] = Attribute(old.oid, text.encode(), old.tag)


def other_case(rng: Random, draft: Draft) -> None:
    """Write a letter, or all of them, in the other case."""
    where, position, old = _pick(rng, draft)
    text = old.value.decode(errors="replace")
    place = rng.randrange(len(text)) if text else 0
    text = rng.choice([text.upper(), text.title(), text[:place] + text[place:].swapcase()])
    draft.rdns[where][position] = Attribute(old.oid, text.encode(), old.tag)


def cut_or_grow(rng: Random, draft: Draft) -> None:
    """Make a value shorter, longer or huge: a prefix of a good one is not a good one."""
    where, position, old = _pick(rng, draft)
    place = rng.randrange(len(old.value) + 1)
    value = rng.choice(
        [
            old.value[:place],
            old.value[place:],
            old.value + rng.choice([b"0", b":x", b"-x", b".", b"/", b",O=system:masters", b"%00"]),
            old.value + b"a" * rng.choice([64, 300, 12_000]),
            b"",
        ]
    )
    draft.rdns[where][position] = Attribute(old.oid, value, old.tag)


def broken_text(rng: Random, draft: Draft) -> None:
    """Put bytes into a value that are no UTF-8, or an overlong form of it."""
    where, position, old = _pick(rng, draft)
    place = rng.randrange(len(old.value) + 1)
    bad = rng.choice([b"\xff", b"\xc0\xba", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\x80"])
    value = old.value[:place] + bad + old.value[place:]
    draft.rdns[where][position] = Attribute(old.oid, value, old.tag)


def another_type(rng: Random, draft: Draft) -> None:
    """Write a value under another attribute type."""
    where, position, old = _pick(rng, draft)
    oid = rng.choice([CN, O, OU, *_FOREIGN_ATTRIBUTES])
    draft.rdns[where][position] = Attribute(oid, old.value, old.tag)


def printable(rng: Random, draft: Draft) -> None:
    """Write a value as PrintableString: harmless where its letters allow that."""
    where, position, old = _pick(rng, draft)
    draft.rdns[where][position] = Attribute(old.oid, old.value, 0x13)


def registered_as_asked(rng: Random, draft: Draft) -> None:
    """Ask for anything, and have the add-on registered for just that: its agents write there."""
    user = rng.choice([*_OTHER_NAMES, "system:open-cluster-management:c1:x7kq2"])
    groups = rng.sample(_OTHER_GROUPS[:-1], rng.randrange(4))
    if rng.random() < 0.5:
        # With the groups that belong to the name, as far as it is an agent's of an add-on.
        start, _, _ = user.partition(":agent:")
        groups = [start, "system:open-cluster-management:addon:hello"]
    draft.rdns = [[Attribute(O, each.encode())] for each in groups]
    draft.rdns.append([Attribute(CN, user.encode())])
    if draft.context.addon is not None:
        before = draft.context.addon.registrations
        added = tuple(replace(each, subject=Subject(user, frozenset(groups))) for each in before)
        both = rng.choice([added, (*before, *added), (*added, *before)])
        draft.world(addon=replace(draft.context.addon, registrations=both))


SUBJECT_MUTATIONS: tuple[Mutation, ...] = (
    drop_attribute,
    drop_all,
    repeat_attribute,
    reorder,
    one_set_each,
    mix_sets,
    add_group,
    replace_group,
    add_unit,
    replace_common_name,
    second_common_name,
    foreign_attribute,
    another_string_type,
    look_alike,
    invisible_character,
    other_case,
    cut_or_grow,
    broken_text,
    another_type,
    printable,
    registered_as_asked,
)


def _sets(draft: Draft) -> list[list[Attribute]]:
    """Return the sets that hold anything; one, if other mutations left none."""
    draft.rdns = [rdn for rdn in draft.rdns if rdn] or [[Attribute(CN, b"")]]
    return draft.rdns


def _pick(rng: Random, draft: Draft) -> tuple[int, int, Attribute]:
    places = [(i, j) for i, rdn in enumerate(_sets(draft)) for j in range(len(rdn))]
    where, position = rng.choice(places)
    return where, position, draft.rdns[where][position]


def _add(rng: Random, draft: Draft, attribute: Attribute) -> None:
    same = [rdn for rdn in draft.rdns if rdn and rdn[0].oid == attribute.oid]
    if same and rng.random() < 0.5:
        rng.choice(same).append(attribute)
    elif draft.rdns and rng.random() < 0.2:
        rng.choice(draft.rdns).append(attribute)
    else:
        draft.rdns.insert(rng.randrange(len(draft.rdns) + 1), [attribute])


def _replace(rng: Random, draft: Draft, text: str, *, oids: tuple[str, ...]) -> None:
    places = [
        (i, j) for i, rdn in enumerate(draft.rdns) for j, each in enumerate(rdn) if each.oid in oids
    ]
    if places:
        i, j = rng.choice(places)
        draft.rdns[i][j] = Attribute(draft.rdns[i][j].oid, text.encode())
