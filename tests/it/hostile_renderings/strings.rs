//! Strings that somebody chose to break a reader with: a fixed list, and seeded mixtures of its pieces.

use crate::support::Lcg;

/// Whole attacks, each on a reader that some rendering has.
const ATTACKS: [&str; 64] = [
    "\u{1b}]52;c;aGk=\u{7}",
    "\u{1b}[2J\u{1b}[31m",
    "\u{1b}]8;;http://x.test\u{1b}\\link\u{1b}]8;;\u{1b}\\",
    "\u{9b}31m",
    "\u{90}q\u{9c}",
    "\u{202e}gpj.exe",
    "\u{2066}x\u{2069}",
    "\u{200b}\u{200d}\u{feff}zero",
    "\u{e0001}\u{e0041}tag",
    "\u{fe0f}variation",
    "\u{2028}line\u{2029}paragraph",
    "\0nul",
    "\u{7f}del",
    "\u{fffe}\u{ffff}",
    "\r\n- injected",
    "\n\n# heading",
    "\n2026-01-01 * injected\n  Assets:X  1 MSAT",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "<script>alert(1)</script>",
    "\"><svg onload=alert(1)>",
    "'><img src=x onerror=alert(1)>",
    "</script><script>",
    "]]>",
    "<![CDATA[",
    "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>",
    "<?xml version=\"1.0\"?>",
    "-->",
    "<!--",
    "&#x202e;",
    "&lt;b&gt;&amp;",
    "=cmd|'/C calc'!A0",
    "=HYPERLINK(\"http://x.test\")",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\u{ff1d}1+1",
    "\u{ff0b}1",
    "\u{ff20}x",
    "\u{2212}1",
    " =1",
    "\u{a0}=1",
    "'=1",
    "a\",\"b",
    "\"",
    "{{7*7}}",
    "{% include x %}",
    "javascript:alert(1)",
    "[x](javascript:alert(1))",
    "![x](http://x.test/p.png)",
    "[x]: http://x.test",
    "](http://x.test)",
    "http://x.test/a?b=c",
    "www.x.test",
    "//x.test",
    "mail@x.test and @everyone",
    "#123 and GH-7 and org/repo#1",
    "`code` ```fence",
    "a|b||c\\|d",
    "**bold** __x__ ~~y~~ $z$",
    "1. one",
    "\\",
    "} 1\nreledger_exit_code 0\n# EOF",
];

/// Strings, no two of them alike, as many as one asks for.
pub(crate) struct Strings {
    dice: Lcg,
    made: usize,
    harmless: bool,
}

impl Strings {
    pub(super) fn hostile(seed: u64) -> Self {
        Self { dice: Lcg(seed), made: 0, harmless: false }
    }

    /// As many, that break nothing.
    pub(crate) fn harmless() -> Self {
        Self { dice: Lcg(0), made: 0, harmless: true }
    }

    pub(super) fn made(&self) -> usize {
        self.made
    }

    pub(super) fn next(&mut self) -> String {
        self.made += 1;
        let number = self.made;
        if self.harmless {
            // The blank keeps it from being a word of ours.
            return format!("word {number}");
        }
        match number % 40 {
            // What is cut is told apart by its beginning.
            0 => format!("{number}{}", ATTACKS[self.dice.below(ATTACKS.len())].repeat(200)),
            1..=20 => format!("{} {number}", ATTACKS[self.dice.below(ATTACKS.len())]),
            _ => {
                let mut text = String::new();
                for _ in 0..=self.dice.below(4) {
                    let attack: Vec<char> = ATTACKS[self.dice.below(ATTACKS.len())].chars().collect();
                    let from = self.dice.below(attack.len());
                    text.extend(&attack[from..]);
                }
                format!("{text}{number}")
            }
        }
    }
}
