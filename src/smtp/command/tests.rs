//! What each command line means, and what refuses it.

use proptest::prelude::*;

use super::*;

/// The command in one line of text, or the refusing code.
fn read(line: &str) -> Result<String, u16> {
    let command = Command::parse(line.as_bytes()).map_err(|reply| reply.code)?;
    Ok(match command {
        Command::Ehlo(name) => format!("ehlo {name}"),
        Command::Helo(name) => format!("helo {name}"),
        Command::Mail(MailFrom { sender, size, prdr }) => {
            let (path, body, utf8) = (sender.reverse_path.as_str(), sender.body, sender.smtputf8);
            let report = sender.ret.map(|ret| format!(" {}", ret.as_str())).unwrap_or_default();
            format!("mail <{path}> {size:?} {body:?} {utf8}{report}{}{}", sender.envid.unwrap_or_default(), if prdr { " prdr" } else { "" })
        }
        Command::Rcpt(recipient) => {
            let Recipient { address, notify, orcpt } = recipient.map_err(|reply| reply.code)?;
            let notify = notify.map(|notify| format!(" {notify}")).unwrap_or_default();
            format!("rcpt {}{notify}{}", address.as_str(), orcpt.map(|to| format!(" {to}")).unwrap_or_default())
        }
        Command::Auth { mechanism, initial } => format!("auth {mechanism:?} {:?}", initial.as_deref()),
        Command::Data => "data".into(),
        Command::Rset => "rset".into(),
        Command::Noop => "noop".into(),
        Command::Vrfy => "vrfy".into(),
        Command::Help => "help".into(),
        Command::Quit => "quit".into(),
        Command::StartTls => "starttls".into(),
        Command::Lhlo(name) => format!("lhlo {name}"),
        Command::Bdat { octets, last } => format!("bdat {octets} {last}"),
        Command::BadBdat => "bad bdat".into(),
        Command::Foreign => "foreign".into(),
    })
}

#[test]
fn commands_are_understood() {
    for (line, expected) in [
        ("EHLO x.example", "ehlo x.example"),
        ("ehlo [IPv6:::1]", "ehlo [IPv6:::1]"),
        ("HELO my_pc", "helo my_pc"),
        ("DATA", "data"),
        ("data  ", "data"),
        ("RSET", "rset"),
        ("QUIT\t", "quit"),
        ("STARTTLS", "starttls"),
        ("NOOP anything at all", "noop"),
        ("VRFY someone", "vrfy"),
        ("HELP", "help"),
        ("AUTH PLAIN", "auth Plain None"),
        ("auth login dXNlcg==", "auth Login Some(\"dXNlcg==\")"),
        ("AUTH PLAIN =", "auth Plain Some(\"=\")"),
        ("LHLO x.example", "lhlo x.example"),
        ("BDAT 5 LAST", "bdat 5 true"),
        ("bdat 0 last", "bdat 0 true"),
        ("BDAT 18446744073709551615", "bdat 18446744073709551615 false"),
        // nobody can tell what follows
        ("BDAT", "bad bdat"),
        ("BDAT ", "bad bdat"),
        ("BDAT LAST", "bad bdat"),
        ("BDAT 5 LAST LAST", "bad bdat"),
        ("BDAT 5  LAST", "bad bdat"),
        ("BDAT +5", "bad bdat"),
        ("BDAT -5", "bad bdat"),
        ("BDAT 0x5", "bad bdat"),
        ("BDAT 5\0", "bad bdat"),
        ("BDAT\t5 LAST", "bad bdat"),
        ("bdat:5", "bad bdat"),
        ("BDAT 5\rLAST", "bad bdat"),
        ("BDAT 18446744073709551616", "bad bdat"),
        ("MAIL FROM:<> prdr", "mail <> None SevenBit false prdr"),
        ("POST / HTTP/1.1", "foreign"),
        ("MAIL FROM:<>", "mail <> None SevenBit false"),
        ("mail from:<A.b@X.example>", "mail <A.b@X.example> None SevenBit false"),
        ("MAIL FROM: <a@x.example>", "mail <a@x.example> None SevenBit false"),
        ("MAIL FROM:<a@x.example> SIZE=10 BODY=8BITMIME SMTPUTF8", "mail <a@x.example> Some(10) EightBit true"),
        ("MAIL FROM:<a@x.example> body=7bit auth=<>", "mail <a@x.example> None SevenBit false"),
        ("MAIL FROM:<a@x.example> SIZE=18446744073709551615", "mail <a@x.example> Some(18446744073709551615) SevenBit false"),
        ("MAIL FROM:<ü@x.example> SMTPUTF8", "mail <ü@x.example> None SevenBit true"),
        ("RCPT TO:<\"a> b\"@x.example>", "rcpt \"a> b\"@x.example"),
        ("RCPT TO:<\"a\\\">\"@x.example>", "rcpt \"a\\\">\"@x.example"),
        ("RCPT TO:<a+tag@[127.0.0.1]>", "rcpt a+tag@[127.0.0.1]"),
        ("RCPT TO:<@one.example,@two.example:a@x.example>", "rcpt a@x.example"),
        ("RCPT TO:<ü@x.example>", "rcpt ü@x.example"),
        // M-62
        ("MAIL FROM:<> ret=hdrs ENVID=QQ+2B1", "mail <> None SevenBit false HDRSQQ+2B1"),
        ("RCPT TO:<a@x.example> NOTIFY=DELAY,success", "rcpt a@x.example SUCCESS,DELAY"),
        ("RCPT TO:<a@x.example> ORCPT=rfc822;b+2Bc@y.example", "rcpt a@x.example rfc822;b+2Bc@y.example"),
        ("RCPT TO:<a@x.example> ORCPT=utf-8;ü@y.example notify=never", "rcpt a@x.example NEVER utf-8;ü@y.example"),
    ] {
        assert_eq!(read(line).as_deref(), Ok(expected), "{line}");
    }
}

#[test]
fn malformed_commands_are_refused_with_their_code() {
    // CRATES.md section 7: each of these was once accepted by a well-known parser
    for (line, code) in [
        ("", 500),
        ("MA\rIL FROM:<a@x.example>", 500),
        ("NOOP\nRSET", 500),
        ("NOOP \0", 500),
        ("XYZZY", 500),
        (" NOOP", 500),
        ("EHLO", 501),
        ("EHLO a b", 501),
        ("EHLO a\"b", 501),
        ("EHLO ü.example", 501),
        ("DATA foo", 501),
        ("STARTTLS now", 501),
        ("EXPN list", 502),
        ("AUTH", 504),
        ("AUTH CRAM-MD5", 504),
        ("MAIL", 501),
        ("MAIL TO:<a@x.example>", 501),
        ("MAIL FROM:a@x.example", 501),
        ("MAIL FROM:<a@x.example", 501),
        ("MAIL FROM:<a@x.example>SIZE=1", 501),
        ("MAIL FROM :<a@x.example>", 501),
        ("MAIL  FROM:<a@x.example>", 501),
        ("MAIL FROM:\t<a@x.example>", 501),
        ("MAIL FROM:<a@x.example>  SIZE=1", 501),
        ("MAIL FROM:<a@x.example> SIZE=1 SIZE=2", 501),
        ("MAIL FROM:<a@x.example> SIZE", 501),
        ("MAIL FROM:<a@x.example> SIZE=", 501),
        ("MAIL FROM:<a@x.example> SIZE=-1", 501),
        ("MAIL FROM:<a@x.example> SIZE=+1", 501),
        ("MAIL FROM:<a@x.example> SIZE=18446744073709551616", 501),
        ("MAIL FROM:<a@x.example> SIZE=99999999999999999999999", 501),
        ("MAIL FROM:<a@x.example> BODY=BINARYMIME", 501),
        ("MAIL FROM:<a@x.example> SMTPUTF8=1", 501),
        ("MAIL FROM:<a@x.example> PRDR=1", 501),
        ("MAIL FROM:<a@x.example> AUTH=a+zz", 501),
        ("MAIL FROM:<a@x.example> RET=SOME", 501),
        ("MAIL FROM:<a@x.example> ENVID=a+b", 501),
        ("MAIL FROM:<a@x.example> REQUIRETLS", 555),
        ("MAIL FROM:<ü@x.example>", 553),
        ("MAIL FROM:<a>", 553),
        ("MAIL FROM:<a@b@x.example>", 553),
        ("RCPT TO:<>", 553),
        ("RCPT TO:<a b@x.example>", 553),
        ("RCPT TO:<postmaster>", 550),
        ("RCPT TO:<Postmaster>", 550),
        ("RCPT TO:<a@x.example> NOTIFY=NEVER,DELAY", 501),
        ("RCPT TO:<a@x.example> ORCPT=rfc822", 501),
        ("RCPT TO:<a@x.example> SIZE=1", 555),
        ("RCPT TO:<@one.example;a@x.example>", 553),
        ("RCPT TO:<@o<ne:a@x.example>", 553),
        ("RCPT TO:<a@x.example>>", 501),
    ] {
        assert_eq!(read(line), Err(code), "{line}");
    }
    assert_eq!(Command::parse(b"NOOP \xff").err().map(|reply| reply.code), Some(500));
}

#[test]
fn lines_end_at_their_limit() {
    // M-04, M-32; the lengths count CRLF
    let padded = |front: &str, length: usize| format!("{front}{}", "a".repeat(length - 2 - front.len()));
    for (line, fits) in [
        (padded("NOOP ", 512), true),
        (padded("NOOP ", 513), false),
        (padded("AUTH PLAIN ", 12_288), true),
        (padded("AUTH PLAIN ", 12_289), false),
        (padded("MAIL FROM:<a@x.example> AUTH=", 1_186), true),
        (padded("MAIL FROM:<a@x.example> AUTH=", 1_187), false),
    ] {
        assert_eq!(read(&line).err(), (!fits).then_some(500), "{}", line.len() + 2);
    }
    let local = "a".repeat(64);
    let domain = format!("{}.{}.{}.example", "b".repeat(63), "c".repeat(63), "d".repeat(53));
    assert!(read(&format!("RCPT TO:<{local}@{domain}>")).is_ok());
    assert_eq!(read(&format!("RCPT TO:<{local}@e{domain}>")), Err(553));
    assert_eq!(read(&format!("RCPT TO:<a{local}@x.example>")), Err(553));
}

proptest! {
    #[test]
    fn no_line_makes_the_parser_panic(line in prop::collection::vec(any::<u8>(), 0..80), front in prop::sample::select(&["", "MAIL FROM:<", "RCPT TO:<\"", "AUTH "][..])) {
        let _ = Command::parse(&[front.as_bytes(), &line].concat());
    }
}
