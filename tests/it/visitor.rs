//! A person at the admin pages of the real program: keeps the cookie, sends forms as the pages do. What it looks like is the browser's
//! business.

use crate::world::{PUBLIC_URL, World};

/// Somebody with a place of their own.
pub(crate) struct Visitor {
    base: String,
    cookie: String,
}

impl Visitor {
    /// Comes in with name and password.
    pub(crate) fn login(world: &World, name: &str, password: &str) -> Self {
        let mut visitor = Self { base: format!("http://{}", world.http), cookie: String::new() };
        visitor.send("/admin/login", "/admin/login", &[("name", name), ("password", password), ("back", "")]);
        visitor
    }

    /// Status and body of a page.
    pub(crate) fn get(&mut self, path: &str) -> (u16, String) {
        self.ask(path, None)
    }

    /// Sends a form as the page it stands on does, with its token.
    pub(crate) fn send(&mut self, page: &str, path: &str, pairs: &[(&str, &str)]) -> (u16, String) {
        let html = self.get(page).1;
        let token =
            html.split("name=\"token\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_else(|| panic!("{html}"));
        self.ask(path, Some(&[&[("token", token)], pairs].concat()))
    }

    fn ask(&mut self, path: &str, form: Option<&[(&str, &str)]>) -> (u16, String) {
        let agent = ureq::Agent::new_with_config(ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build());
        let request = ureq::http::Request::builder().uri(format!("{}{path}", self.base)).header("cookie", &self.cookie);
        let request = request.header("x-forwarded-for", "192.0.2.9").header("x-forwarded-proto", "https").header("accept-language", "en");
        let request = request.header("origin", PUBLIC_URL).header("content-type", "application/x-www-form-urlencoded");
        let body = form.map(|pairs| pairs.iter().map(|(k, v)| format!("{k}={}", v.replace(' ', "+"))).collect::<Vec<_>>().join("&"));
        let method = if body.is_some() { "POST" } else { "GET" };
        let mut answer = agent.run(request.method(method).body(body.unwrap_or_default()).unwrap()).unwrap();
        for set in answer.headers().get_all("set-cookie") {
            self.cookie = set.to_str().unwrap().split(';').next().unwrap().to_owned();
        }
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }
}
