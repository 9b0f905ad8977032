//! Whether a browser's page may connect. Knows header values only.

use crate::Origins;

/// Whether a request may pass. `foreign_cookie`: it carries a cookie other than our own, so an application
/// may trust it for more than it is worth (cross-site WebSocket hijacking).
pub(super) fn is_allowed(
    origins: &Origins,
    origin: Option<&str>,
    host: Option<&str>,
    foreign_cookie: bool,
) -> bool {
    let Some(origin) = origin else { return true };
    match origins {
        Origins::Any => true,
        Origins::List(list) => list.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)),
        Origins::SameHost => !foreign_cookie || host.is_some_and(|host| is_same_host(origin, host)),
    }
}

/// The origin of the page that asks for a script. A page can withhold it, so a script without one is nobody's: `null`,
/// as browsers have it.
pub(super) fn of_referer(referer: Option<&str>) -> &str {
    referer.and_then(origin_of).unwrap_or("null")
}

/// The `scheme://host[:port]` of a URL.
fn origin_of(url: &str) -> Option<&str> {
    let begin = url.find("://")? + "://".len();
    let authority = url[begin..].split(['/', '?', '#']).next()?;
    let is_host = !authority.is_empty() && !authority.contains(['@', '\\']);
    is_host.then(|| &url[..begin + authority.len()])
}

/// Compares `scheme://host[:port]` with `host[:port]`; the scheme's own port may be left out.
fn is_same_host(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else {
        return false;
    };
    let port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    let trim = |text: &str| text.strip_suffix(port).unwrap_or(text).to_ascii_lowercase();
    trim(authority) == trim(host)
}

/// Whether a `Cookie` header has another cookie than `own`.
pub(super) fn has_foreign_cookie(cookie: &str, own: Option<&str>) -> bool {
    cookie
        .split(';')
        .map(|pair| pair.split('=').next().unwrap_or_default().trim())
        .any(|name| !name.is_empty() && Some(name) != own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_host_stops_foreign_pages_with_cookies_only() {
        let check = |origin, cookie| is_allowed(&Origins::SameHost, origin, Some("example.org:3000"), cookie);
        assert!(check(None, true));
        assert!(check(Some("http://evil.example"), false));
        assert!(check(Some("http://example.org:3000"), true));
        assert!(check(Some("http://EXAMPLE.org:3000"), true));
        for evil in [
            "http://evil.example",
            "http://example.org",
            "null",
            "http://example.org:3000.evil.example",
        ] {
            assert!(!check(Some(evil), true), "{evil}");
        }
    }

    #[test]
    fn the_schemes_own_port_may_be_left_out() {
        assert!(is_same_host("https://example.org", "example.org:443"));
        assert!(is_same_host("http://example.org:80", "example.org"));
        assert!(!is_same_host("http://example.org", "example.org:443"));
    }

    #[test]
    fn a_list_is_exact() {
        let list = Origins::List(vec!["https://a.example".to_owned()]);
        assert!(is_allowed(&list, Some("https://a.example"), None, true));
        assert!(!is_allowed(&list, Some("https://a.example.evil"), None, false));
        assert!(is_allowed(&list, None, None, true));
    }

    #[test]
    fn a_script_is_its_referers() {
        let is = |referer, origin| assert_eq!(of_referer(Some(referer)), origin, "{referer}");
        is("http://example.org/", "http://example.org");
        is(
            "https://example.org:3000/a?b=http://c/#d",
            "https://example.org:3000",
        );
        is("https://example.org", "https://example.org");
        is("http://evil.example?http://example.org/", "http://evil.example");
        for nobody in [
            "",
            "about:blank",
            "/path",
            "http:///path",
            "http://example.org@evil.example/",
            "http://evil.example\\@example.org/",
        ] {
            is(nobody, "null");
        }
        assert_eq!(of_referer(None), "null");
    }

    #[test]
    fn our_own_cookie_is_not_foreign() {
        assert!(!has_foreign_cookie("io=abc", Some("io")));
        assert!(has_foreign_cookie("io=abc; session=1", Some("io")));
        assert!(has_foreign_cookie("io=abc", None));
        assert!(!has_foreign_cookie("", None));
    }
}
