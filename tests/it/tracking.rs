//! What tools put into mails to measure people, and what is left of it for who has not agreed (L-TRK-01, L-TRK-02): a table of
//! tools, each with a mail as it writes them.

use consentry::mail::Message;
use consentry::rewrite::{Fields, Marketing, Plan, Reading, RewriteError, Trackers, rewrite};
use mail_parser::MessageParser;

use crate::environment::tell;

/// One tool's mail.
struct Sample {
    tool: &'static str,
    pixel: &'static str,
    /// A link that measures, and where it leads, if it says so.
    link: (&'static str, Option<&'static str>),
    /// Content from the same tool.
    image: &'static str,
    /// The tool's own way out.
    leave: &'static str,
}

const SAMPLES: [Sample; 13] = [
    Sample {
        tool: "Mautic",
        pixel: "<img height=\"1\" width=\"1\" src=\"https://m.shop.example/email/65f1c3a2b4d5e678901234.gif?tid=65f1c3a2b4d5e678901234\" alt=\"\" />",
        link: (
            "https://m.shop.example/r/1f3870be274f6c49b3e31a0c6728957f?ct=YTo1OntzOjY6InNvdXJjZSI7YToyOntpOjA7czo1OiJlbWFpbCI7fX0%3D",
            None,
        ),
        image: "<img src=\"https://m.shop.example/media/images/lamp.png\" width=\"600\" alt=\"Lamp\">",
        leave: "https://m.shop.example/email/unsubscribe/65f1c3a2b4d5e678901234",
    },
    Sample {
        tool: "listmonk",
        pixel: "<img src=\"https://lists.shop.example/campaign/7c0f5a0e-57b1-4f53-9d0c-0c2bb7e0b1aa/0d6d8f5c-2a3a-4c4e-8a77-7f43f0a1c2bb/px.png\" alt=\"\" />",
        link: (
            "https://lists.shop.example/link/aa0f5a0e-57b1-4f53-9d0c-0c2bb7e0b1aa/7c0f5a0e-57b1-4f53-9d0c-0c2bb7e0b1aa/0d6d8f5c-2a3a-4c4e-8a77-7f43f0a1c2bb",
            None,
        ),
        image: "<img src=\"https://lists.shop.example/uploads/lamp.jpg\" alt=\"Lamp\">",
        leave: "https://lists.shop.example/subscription/7c0f5a0e-57b1-4f53-9d0c-0c2bb7e0b1aa/0d6d8f5c-2a3a-4c4e-8a77-7f43f0a1c2bb",
    },
    Sample {
        tool: "Mailchimp",
        pixel: "<img src=\"https://shop.us21.list-manage.com/track/open.php?u=0a1b2c3d4e5f60718293a4b5c&id=9f8e7d6c5b&e=1a2b3c4d5e\" height=\"1\" width=\"1\" alt=\"\">",
        link: ("https://shop.us21.list-manage.com/track/click?u=0a1b2c3d4e5f60718293a4b5c&amp;id=aabbccddee&amp;e=1a2b3c4d5e", None),
        image: "<img align=\"center\" alt=\"\" src=\"https://mcusercontent.com/0a1b2c3d4e5f60718293a4b5c/images/lamp.png\" width=\"564\" class=\"mcnImage\">",
        leave: "https://shop.us21.list-manage.com/unsubscribe?u=0a1b2c3d4e5f60718293a4b5c&amp;id=9f8e7d6c5b&amp;t=b&amp;e=1a2b3c4d5e&amp;c=aabbccddee",
    },
    Sample {
        tool: "Mandrill",
        pixel: "<img src=\"https://mandrillapp.com/track/open.php?u=30000001&id=0123456789abcdef0123456789abcdef\" height=\"1\" width=\"1\">",
        link: (
            "https://mandrillapp.com/track/click/30000001/shop.example?p=eyJzIjoieCIsInYiOjEsInAiOiJ7XCJ1XCI6MzAwMDAwMDEsXCJ2XCI6MSxcInVybFwiOlwiaHR0cHM6XFxcL1xcXC9zaG9wLmV4YW1wbGVcXFwvbGFtcHNcIixcImlkXCI6XCIwMTIzXCJ9In0",
            Some("https://shop.example/lamps"),
        ),
        image: "<img src=\"https://shop.example/lamp.png\" width=\"600\">",
        leave: "https://mandrillapp.com/track/unsub.php?u=30000001&amp;id=0123456789abcdef",
    },
    Sample {
        tool: "HubSpot",
        pixel: "<img src=\"https://d2f-0k04.eu1.hubspotlinks.com/Cto/ZW+23284/d2f-0k04/R5R8b42L_N4Vq1\" alt=\"\" width=\"1\" height=\"1\" border=\"0\" style=\"display:none!important;min-height:1px!important;width:1px!important\">",
        link: ("https://d2f-0k04.eu1.hubspotlinks.com/Ctc/ZW+23284/d2f-0k04/Jk82-6qcW95jsWP6lZ3q8W8sBxYz1", None),
        image: "<img alt=\"Lamp\" src=\"https://shop.example/hs-fs/hubfs/lamp.png?width=1120&amp;upscale=true&amp;name=lamp.png\" width=\"560\">",
        leave: "https://shop.example/hs/manage-preferences/unsubscribe-all?languagePreference=de&amp;d=VmY3&amp;v=3",
    },
    Sample {
        tool: "SendGrid",
        pixel: "<img src=\"https://u1234567.ct.sendgrid.net/wf/open?upn=u001.Zm9vYmFy-2BxY\" alt=\"\" width=\"1\" height=\"1\" border=\"0\" style=\"height:1px !important;width:1px !important;border-width:0 !important;\"/>",
        link: ("https://u1234567.ct.sendgrid.net/ls/click?upn=u001.Zm9vYmFyYmF6-2FqdXg-3D", None),
        image: "<img class=\"max-width\" border=\"0\" width=\"600\" src=\"http://cdn.mcauto-images-production.sendgrid.net/0a1b/lamp.png\">",
        leave: "https://u1234567.ct.sendgrid.net/asm/unsubscribe/?user_id=1234567&amp;data=abc",
    },
    Sample {
        tool: "CleverReach",
        pixel: "<img src=\"https://stats-eu2.crsend.com/stats/mc_121070_14141611_b09ec13a504-ro9gus.gif\" border=\"0\" alt=\"\" height=\"1\" width=\"1\" />",
        link: ("https://121070.seu2.cleverreach.com/c/79919679/b09ec13a504-rpen8x", None),
        image: "<img src=\"https://files.crsend.com/121000/121070/images/Lampe_150dpi.png\" width=\"600\">",
        leave: "https://121070.seu2.cleverreach.com/rmftlp.php?cid=0&amp;mid=14141611&amp;h=0-b09ec13a504",
    },
    Sample {
        tool: "Brevo",
        pixel: "<img width=\"1\" height=\"1\" src=\"https://xk3l1.r.ag.d.sendibm3.com/mk/op/sh/SMJz09a8Z/PcDfKctxrceQ\" />",
        link: ("https://xk3l1.r.ag.d.sendibm3.com/mk/cl/f/sh/7nVU1aA2nfsTSwk7/8kQz", None),
        image: "<img src=\"https://img.mailinblue.com/1234567/images/rnb/original/lamp.png\" width=\"550\">",
        leave: "https://xk3l1.r.ag.d.sendibm3.com/mk/un/v2/sh/7nVTPdZCTJDX/abcd",
    },
    Sample {
        tool: "Salesforce Marketing Cloud",
        pixel: "<img src=\"https://click.news.shop.example/open.aspx?ffcb10-fec717767163077c-fe171376736605757d1d79-ff981675-fec116747d6d017f&d=70192&bmt=0\" width=\"1\" height=\"1\" alt=\"\">",
        link: ("https://click.news.shop.example/?qs=4f1c2d3e4b5a69788796a5b4c3d2e1f0a1b2c3d4e5f60718293a4b5c6d7e8f90", None),
        image: "<img src=\"https://image.news.shop.example/lib/fe9013727561007d76/m/1/lamp.png\" width=\"600\" style=\"display:block\">",
        leave: "https://click.news.shop.example/unsub_center.aspx?qs=4f1c2d3e4b5a6978",
    },
    Sample {
        tool: "Mailjet",
        pixel: "<img src=\"http://x1z0x.mjt.lu/oo/AXQAAACMQ5YAAcjIYbYAAM5Eefs/97979aa7/e.gif\" height=\"1\" width=\"1\" alt=\"\" border=\"0\" style=\"height:1px;width:1px;border:0;\"/>",
        link: (
            "http://x1z0x.mjt.lu/lnk/AV8AACyp26kAAcjI/1/uf5DAaF89eLKWXC/aHR0cHM6Ly9zaG9wLmV4YW1wbGUvbGFtcHM_aWQ9Nw",
            Some("https://shop.example/lamps?id=7"),
        ),
        image: "<img src=\"https://x1z0x.mjt.lu/img/x1z0x/b/lk2/lamp.png\" width=\"550\">",
        leave: "http://x1z0x.mjt.lu/unsub2?hl=de&amp;m=AV8AACyp&amp;b=1",
    },
    Sample {
        tool: "Amazon SES",
        pixel: "<img alt=\"\" src=\"https://k3x9q2.r.eu-central-1.awstrack.me/I0/0107018f3b2a4c1d-9e8f7a6b-000000/aidPWdKA=357\" style=\"display: none; width: 1px; height: 1px;\">",
        link: (
            "https://k3x9q2.r.eu-central-1.awstrack.me/L0/https:%2F%2Fshop.example%2Flamps%3Fid=7/1/0107018f3b2a4c1d-000000/xY1=357",
            Some("https://shop.example/lamps?id=7"),
        ),
        image: "<img src=\"https://shop.example/lamp.png\" width=\"600\">",
        leave: "https://shop.example/leave?id=4711",
    },
    Sample {
        tool: "Postmark",
        pixel: "<img src=\"https://pixel.pstmrk.it/o/1/aBcDeFgH\" width=\"1\" height=\"1\" border=\"0\" alt=\"\" />",
        link: (
            "https://click.pstmrk.it/3s/shop.example%2Flamps%3Fid%3D7/aBcDeFgH/xYz1/AQ/8ca0d9d0/1/3Ug7SAcXST",
            Some("https://shop.example/lamps?id=7"),
        ),
        image: "<img src=\"https://shop.example/lamp.png\" width=\"600\">",
        leave: "https://unsubscribe.pstmrk.it/u/1/aBcD",
    },
    Sample {
        tool: "phpList",
        pixel: "<img src=\"https://lists.shop.example/lists/ut.php?u=0123456789abcdef0123456789abcdef&amp;m=12\" width=\"1\" height=\"1\" border=\"0\" alt=\"\" />",
        link: ("https://lists.shop.example/lists/lt.php?tid=fkUHAAsFBFcMGgNXB1ZJ", None),
        image: "<img src=\"https://lists.shop.example/uploadimages/lamp.png\" width=\"600\">",
        leave: "https://lists.shop.example/lists/?p=unsubscribe&amp;uid=0123456789abcdef",
    },
];

impl Sample {
    /// A newsletter of the tool.
    fn mail(&self) -> Message {
        let Self { pixel, link: (link, _), image, leave, .. } = self;
        let text = link.replace("&amp;", "&");
        let mail = format!(
            "From: Shop <news@shop.example>\r\nSubject: Lamps\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n\
             --b\r\nContent-Type: text/plain\r\n\r\nLamps: {text}\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n\
             <html><body><p><a style=\"color:#000\" href=\"{link}\" target=\"_blank\">Lamps</a></p>\r\n{image}\r\n\
             <p><a href=\"{leave}\">Leave</a></p>\r\n{pixel}\r\n</body></html>\r\n--b--\r\n"
        );
        Message::parse(mail.into_bytes(), false).expect("a message")
    }

    /// Text and HTML of a copy.
    fn copy(&self, may_measure: bool, refuse_blind: bool) -> Result<(String, String), RewriteError> {
        let trackers = Trackers::new(&[]).expect("the built-in ones");
        let marketing = Marketing {
            unsubscribe_url: OURS,
            mailto: None,
            list_id_phrase: "News",
            list_id: "news.shop.example",
            footer_text: OURS,
            footer_html: "<p><a href=\"https://consent.example/u/TOKEN\">Unsubscribe</a></p>",
            notice_text: "",
            notice_html: "",
            must_say: &[],
            unsubscribe_words: "Unsubscribe",
            may_measure,
            refuse_blind,
            refuse_concealed: true,
            trackers: &trackers,
        };
        let plan = Plan { on_top: b"", fields: Fields::default(), kept: &[], marketing: Some(marketing) };
        let copy = rewrite(&self.mail(), &Reading::default(), &plan)?;
        let parsed = MessageParser::default().parse(&copy).expect("readable");
        Ok((parsed.body_text(0).expect("text").into_owned(), parsed.body_html(0).expect("HTML").into_owned()))
    }
}

const OURS: &str = "https://consent.example/u/TOKEN";

#[test]
fn what_tools_measure_with_is_taken_out_and_content_stays() {
    // L-TRK-01, L-TRK-02, S0-21, U-17: the table that the README tells of
    tell("tracking: tool | pixel gone | link unwrapped | content image kept");
    for sample in SAMPLES {
        let Sample { tool, pixel, link: (link, target), image, leave } = sample;
        // who agreed gets all of it
        let (_, html) = sample.copy(true, true).expect("a copy");
        for kept in [pixel, link, image, leave] {
            assert!(html.contains(kept), "{tool}: {kept} for who agreed in {html}");
        }
        // U-17: our own link is never taken for one that measures
        let (text, html) = sample.copy(false, false).expect("a copy");
        assert!(text.contains(OURS) && html.contains(OURS), "{tool}");
        assert!(!html.contains(pixel) && html.contains(image) && html.contains(leave), "{tool}: {html}");
        assert_eq!(html.matches("<img").count(), 1, "{tool}: {html}");
        match target {
            Some(target) => {
                assert!(
                    !html.contains(link) && html.contains(&format!("href=\"{target}\"")) && text.contains(&format!("Lamps: {target}\r\n")),
                    "{tool}: {html} {text}"
                );
            }
            None => assert_eq!(sample.copy(false, true).err(), Some(RewriteError::Tracked), "{tool}"),
        }
        tell(&format!("tracking: {tool} | yes | {} | yes", if target.is_some() { "yes" } else { "no: refused by default" }));
    }
    let tools: Vec<&str> = Trackers::built_in().collect();
    assert!(SAMPLES.iter().all(|sample| tools.contains(&sample.tool)), "{tools:?}");
}
