//! Further opinions: mails of our own that nothing was trained on (`training/opinion/`), and adverts that are hidden in the
//! transactional ones of their language. Only measured. The lexicon has been mended by the second; the third was written by
//! a hand that had seen none of the texts, and nothing was chosen by it.

/// One mail.
pub(crate) struct Opinion {
    /// Whether it advertises.
    pub advertises: bool,
    /// True for a transactional mail with an advert put into it.
    pub hidden: bool,
    /// `de` or `en`.
    pub language: &'static str,
    /// Of which kind; for a hidden advert, of which kind that is.
    pub kind: &'static str,
    /// As it would come.
    pub raw: Vec<u8>,
}

/// The sets, by name.
pub(crate) const SETS: [(&str, &str); 2] = [("second", include_str!("opinion/mails.txt")), ("third", include_str!("opinion/mails.2.txt"))];

/// All of a set.
pub(crate) fn read(text: &'static str) -> Vec<Opinion> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let rows: Vec<[&'static str; 5]> = lines
        .map(|line| {
            let mut parts = line.splitn(3, " | ");
            let (head, subject) = (parts.next().expect("a head"), parts.next().expect("a subject"));
            let mut head = head.split(' ');
            let mut word = || head.next().expect("a word");
            [word(), word(), word(), subject, parts.next().expect("a text")]
        })
        .collect();
    let of = |label: &'static str| rows.iter().filter(move |row| row[0] == label);
    let plain = |row: &[&'static str; 5], advertises| Opinion {
        advertises,
        hidden: false,
        language: row[1],
        kind: row[2],
        raw: mail(row[3], &row[4].split(" / ").collect::<Vec<_>>()),
    };
    let hide = |row: &[&'static str; 5]| {
        let [_, language, kind, _, advert] = *row;
        // at the end, the beginning, and in between
        of("transactional").filter(move |row| row[1] == language).enumerate().map(move |(at, row)| {
            let mut blocks: Vec<&str> = row[4].split(" / ").collect();
            blocks.insert((at * 2 + 1) % (blocks.len() + 1), advert);
            Opinion { advertises: true, hidden: true, language, kind, raw: mail(row[3], &blocks) }
        })
    };
    let mut all: Vec<Opinion> = of("transactional").map(|row| plain(row, false)).collect();
    all.extend(of("marketing").map(|row| plain(row, true)));
    all.extend(of("hidden").flat_map(hide));
    all
}

fn mail(subject: &str, blocks: &[&str]) -> Vec<u8> {
    let head = format!("From: a@house.example\r\nSubject: {subject}\r\nContent-Type: text/plain; charset=utf-8\r\n");
    format!("{head}Content-Transfer-Encoding: 8bit\r\n\r\n{}\r\n", blocks.join("\r\n\r\n")).into_bytes()
}
