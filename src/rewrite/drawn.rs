//! What of HTML a person sees: where comments, scripts, styles and the like stand, and which end tags end the body. One pass, as
//! browsers read it: what stands in a script is no tag, what stands in the value of an attribute neither.

use memchr::memmem;

use super::html::{Tag, tags};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    /// From where to before where nothing is drawn, in order. One that is left open never ends.
    unseen: Vec<(usize, usize)>,
    /// The last end tag of the body, and of all.
    ends: [Option<usize>; 2],
    /// A tag at the end without its `>`.
    open_tag: Option<usize>,
}

/// Elements whose content is not drawn, or not as what it is.
const UNSEEN: [&str; 12] =
    ["script", "style", "title", "textarea", "template", "noscript", "select", "iframe", "xmp", "noembed", "noframes", "plaintext"];

impl Drawn {
    /// Reads it.
    pub(super) fn read(html: &[u8]) -> Self {
        let mut drawn = Self::default();
        let mut from = 0;
        while let Some(at) = memchr::memchr(b'<', &html[from..]).map(|at| at + from) {
            from = at + 1;
            if html[at..].starts_with(b"<!--") {
                // `<!-->` is a whole comment
                let end = memmem::find(&html[at + 2..], b"-->").map(|end| at + 2 + end + 3);
                drawn.unseen.push((at, end.unwrap_or(usize::MAX)));
                let Some(end) = end else { break };
                from = end;
                continue;
            }
            let name = html[at + 1..].strip_prefix(b"/").unwrap_or(&html[at + 1..]);
            if !name.first().is_some_and(u8::is_ascii_alphabetic) {
                continue;
            }
            let Some(tag) = tags(&html[at..]).next().filter(|tag| tag.is_closed) else {
                drawn.open_tag = Some(at);
                break;
            };
            from = at + tag.range.end;
            if let Some(name) = UNSEEN.iter().find(|name| tag.is(&html[at..], name)) {
                let end = close(html, from, name);
                drawn.unseen.push((at, end.map_or(usize::MAX, |end| end + 1)));
                let Some(end) = end else { break };
                from = end;
            }
            drawn.end(&tag, &html[at..], at);
        }
        drawn
    }

    fn end(&mut self, tag: &Tag, html: &[u8], at: usize) {
        let name = &html[tag.name.clone()];
        for (slot, own) in self.ends.iter_mut().zip(["/body", "/html"]) {
            if name.eq_ignore_ascii_case(own.as_bytes()) {
                *slot = Some(at);
            }
        }
    }

    /// Where what hides this place begins; `None` for a place that is drawn.
    pub(super) fn hides(&self, place: usize) -> Option<usize> {
        let next = self.unseen.partition_point(|(start, _)| *start < place);
        let (start, end) = *self.unseen.get(next.checked_sub(1)?)?;
        (place < end).then_some(start)
    }

    /// Where something goes that is to be seen last: before the last end tag, else at the end of all, or before what would hide it.
    pub(super) fn last_place(&self, length: usize) -> usize {
        let end = self.ends[0].or(self.ends[1]);
        end.or(self.open_tag).unwrap_or_else(|| self.hides(length).unwrap_or(length))
    }
}

/// Where the end tag of that name begins; one without its `>` ends nothing.
fn close(html: &[u8], from: usize, name: &str) -> Option<usize> {
    if name == "plaintext" {
        return None;
    }
    let end = memchr::memrchr(b'>', html)?;
    memmem::find_iter(&html[from..], b"</").map(|at| at + from).find(|at| {
        let tag = &html[at + 2..];
        tag.get(..name.len()).is_some_and(|own| own.eq_ignore_ascii_case(name.as_bytes()))
            && tag.get(name.len()).is_some_and(|next| b"> \t\r\n\x0c/".contains(next))
            && *at < end
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_place_that_is_seen_is_found() {
        // `|` marks it
        for case in [
            "<html><body>x|</body></html>",
            "<html><BODY>x|</Body\t></html>",
            "<body>x</body>y|</body>",
            "<body>x|</body><!-- </body> -->",
            "<body>x|</body><!-- </body>",
            "<body><!-- </body> -->x|</body>",
            "<body><!--> x|</body>",
            "<html>x</bodyguard>|</html>",
            "<html>x|</html",
            "<p>x</p>|",
            "<p>x</p>|<!-- open </body>",
            "|",
            "<|",
            "</|",
            "<//body>|",
            "<html><body>x|</body></html><script>\"</body>\"</script>",
            "<body>x|</body><img alt=\"</body></html>\">",
            "<body><script>if (a<b && c=\"x) y()</script>x|</body>",
            "<body><script><!-- x</script>x|</body>",
            "<p>x|<style>p {} ",
            "<p>x|<textarea><!-- </body>",
            "<p>x|<!-- <style> </body>",
            "<!-- <style> --><p>x|</body>",
            "<style>a</style><STYLE>b</style >x|",
            "<styles>x|",
            "<p>x|<a href=x",
            "<p>x|<plaintext></plaintext></body>",
            "<p>x|<script/></body>",
            "<p>x|<style\x0ctype=a></body>",
            "<p>x|<script>a</script",
            "<p>x|<img src='a width=1></body>",
            "<a/title=\"></body>\">x</a>|",
        ] {
            let html = case.replacen('|', "", 1);
            assert_eq!(Drawn::read(html.as_bytes()).last_place(html.len()), case.find('|').expect("a mark"), "{case}");
        }
    }

    #[test]
    fn what_is_in_a_comment_or_a_style_is_hidden() {
        let html = b"a<!-- 1 --><style>2</style>d<script>3";
        let drawn = Drawn::read(html);
        let hidden = |what: u8| drawn.hides(html.iter().rposition(|byte| *byte == what).expect("there"));
        assert_eq!([b'1', b'2', b'3'].map(hidden), [Some(1), Some(11), Some(28)]);
        assert_eq!(
            (drawn.hides(0), drawn.hides(1), drawn.hides(11), drawn.hides(27), drawn.hides(html.len())),
            (None, None, None, None, Some(28))
        );
    }
}
