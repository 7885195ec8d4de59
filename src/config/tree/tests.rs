use super::*;
use toml::de::DeTable;

/// What ours takes is what the toml crate takes, and means the same. Says whether ours took it.
fn compare(text: &str) -> bool {
    let (theirs, errors) = DeTable::parse_recoverable(text);
    let ours = usual(text);
    // An end of a slice at every line changes nothing.
    assert_eq!(usual::in_slices(text, 1), ours, "{text:?}");
    let Some(ours) = ours else { return false };
    assert!(errors.is_empty(), "{errors:?} in {text:?}");
    assert_eq!(ours, of_toml(theirs.get_ref()), "{text:?}");
    true
}

#[test]
fn the_usual_form_is_read_without_the_toml_crate() {
    for text in [
        "",
        "\u{feff}a = 1",
        "# only a comment\r\n",
        "a = 1\n'b c' = \"\\u00fc\\n\"\n\"d\" = '''\nx\r\ny'''\n",
        "n = [+1_000, -0, 0xFF, 0o7, 0b1_0, 1.5, -inf, 1e3, true]\n",
        "a = [ # one\n  1, 2 , # two\n  [],\n [{ }, { b = { c = [1] }, }],\n]\nb = 1",
        "[vrrp.instance.lan]\nx = 1\n[vrrp]\ny = 2\n[vrrp.instance]\n[vrrp . instance.'w']\nx = 1",
        "[a.b]\n[a]\nc = 1\n[a.d]\n",
    ] {
        assert!(compare(text), "{text:?}");
    }
    assert!(compare(include_str!("../../../conf/steadfast.toml")));
    // More than one slice of the tokens, and more keys than are searched one by one.
    let instance =
        |n| format!("[i.n{n}]\na = [\n  \"1\", # x\n  {{ b = \"{n}\" }},\n]\nk{n} = {n}\n");
    let many: String = (0..500).map(instance).collect();
    assert!(compare(&many));
    let keys: String = (0..100).map(|n| format!("k{n} = {n}\n")).collect();
    assert!(compare(&keys));
    assert!(!compare(&format!("{keys}k50 = 1\n")));
    assert!(!compare(&format!("{many}[i.n7]\n")));
    assert!(!compare(&format!("{many}a = ]\n")));
}

#[test]
fn the_rest_is_left_to_the_toml_crate() {
    for text in [
        "a.b = 1",
        "a = { b.c = 1 }",
        "[[a]]",
        "a = 2001-01-01",
        "\"\\u0061\" = 1",
        "a = 1\na = 2",
        "a = 1\n'a' = 2",
        "a = { b = 1, b = 2 }",
        "[a]\n[a]",
        "[a.b]\n[a]\nb = 1",
        "[a]\nb = 1\n[a.b]",
        "[a]\nb = 1\n[a.b.c]",
        "[a]\nb = {}\n[a.b.c]",
        "[a]\nb = {}\n[a.b]",
        "[a]\nb = [1]\n[a.b]",
        "a = [1 2]",
        "a = [1",
        "a = { b = 1",
        "a = 01",
        "a = 1 2",
        "a =\n",
        "a\n",
        "= 1",
        "[a",
        "[]",
        "[a]]",
        "]",
        "a = \"x",
        "a = tru",
        "# \u{1}",
        "a = 1\r",
        "a = 1_",
        "a = \"\\q\"",
        "[a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q]",
        "a = [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]",
    ] {
        assert!(!compare(text), "{text:?}");
    }
}

#[test]
fn the_same_is_taken_of_what_is_not_quite_toml() {
    // Every text that is a mutation of a good one: a piece left out, put twice or put elsewhere.
    let good = concat!(
        "# c\n[g]\nr = \"x\\ty\"\nf = 1.5\nt = true\n",
        "[v.i.\"a b\"]\ni = 'e'\nn = 0x1f\nl = [\"1/2\", \"3\", { a = \"b\", c = [] },\n]\n",
        "[v]\nz = \"\"\"\nq\"\"\"\n[v.i]\nk = 1_0\n",
    );
    let (mut taken, mut all) = (0_usize, 0_usize);
    for from in 0..good.len() {
        for to in (from + 1..=good.len()).take(9) {
            let (head, rest) = good.split_at(from);
            let (piece, tail) = rest.split_at(to - from);
            for text in [
                [head, tail, "", ""],
                [head, piece, piece, tail],
                [tail, piece, head, ""],
                [head, "\n", piece, tail],
                [piece, "\n", head, tail],
            ] {
                all += 1;
                taken += usize::from(compare(&text.concat()));
            }
        }
    }
    assert!(taken > all / 10, "only {taken} of {all} mutations are usual ones");
}
