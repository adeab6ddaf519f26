//! `OLLAMA_HOST` as Ollama's own programs read it: with or without scheme, host and port.

use reqwest::Url;

use crate::Error;

/// Where Ollama listens when nobody said otherwise.
pub const DEFAULT_URL: &str = "http://127.0.0.1:11434";
const DEFAULT_PORT: u16 = 11434;

/// The address that `text` means to a client. A server's wildcard address is reached by loopback.
pub fn host_url(text: &str) -> Result<String, Error> {
    let text = text.trim().trim_matches(['"', '\'']);
    let wrong = |why: &str| Error::invalid(format!("`{text}` is no address of an Ollama: {why}"));
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme @ ("http" | "https"), rest)) => (scheme, rest),
        Some(_) => return Err(wrong("it begins with neither http:// nor https://")),
        None => ("http", text),
    };
    let (place, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let place = match place {
        "" => "127.0.0.1".to_owned(),
        port if port.starts_with(':') && !port.starts_with("::") => format!("127.0.0.1{port}"),
        // An address of version 6 without its brackets.
        bare if bare.matches(':').count() > 1 && !bare.starts_with('[') => format!("[{bare}]"),
        place => place.to_owned(),
    };
    let mut url =
        Url::parse(&format!("{scheme}://{place}{path}")).map_err(|error| wrong(&error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err(wrong("it is more than scheme, host, port and path"));
    }
    let explicit = place.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if !explicit && text.split_once("://").is_none() {
        url.set_port(Some(DEFAULT_PORT)).map_err(|()| wrong("it has no host"))?;
    }
    if matches!(url.host_str(), Some("0.0.0.0" | "[::]")) {
        url.set_host(Some("127.0.0.1")).map_err(|error| wrong(&error.to_string()))?;
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_variable_is_read() {
        for (text, url) in [
            ("", "http://127.0.0.1:11434"),
            ("127.0.0.1", "http://127.0.0.1:11434"),
            (" \"box.local\" ", "http://box.local:11434"),
            ("box.local:1234", "http://box.local:1234"),
            (":1234", "http://127.0.0.1:1234"),
            ("0.0.0.0", "http://127.0.0.1:11434"),
            ("0.0.0.0:8000", "http://127.0.0.1:8000"),
            ("[::1]:1234", "http://[::1]:1234"),
            ("::1", "http://[::1]:11434"),
            ("[::]", "http://127.0.0.1:11434"),
            ("http://box", "http://box"),
            ("http://", "http://127.0.0.1"),
            ("https://models.example", "https://models.example"),
            ("https://models.example:8443/ollama/", "https://models.example:8443/ollama"),
            ("box/ollama", "http://box:11434/ollama"),
        ] {
            assert_eq!(host_url(text), Ok(url.to_owned()), "{text:?}");
        }
        for text in ["ftp://box", "a b", "http://user:word@box", "box:99999", "http://box?x=1"] {
            assert!(matches!(host_url(text), Err(Error::InvalidRequest { .. })), "{text:?}");
        }
    }
}
