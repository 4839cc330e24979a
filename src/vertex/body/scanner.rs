//! Reads a body in pieces, as they come. What it holds between two pieces is bounded, whatever comes.

use crate::error::Reason;
use crate::test_switches::{Check, on};
use crate::vertex::body::Body;
use crate::vertex::body::syntax::Syntax;
use crate::vertex::body::walk::Walk;

/// A body that is being read.
#[derive(Debug)]
pub struct BodyScanner {
    syntax: Syntax,
    walk: Walk,
    fault: Option<Reason>,
}

impl BodyScanner {
    /// A scanner before the first byte of a body.
    #[must_use]
    pub fn new() -> Self {
        Self { syntax: Syntax::new(), walk: Walk::new(), fault: None }
    }

    /// The same for a body that is to get a member of this name: it must have none itself.
    #[must_use]
    pub fn of_body_without(name: &[u8]) -> Self {
        let mut scanner = Self::new();
        scanner.fault = scanner.walk.take_name(name).err();
        scanner
    }

    /// Reads the next bytes, wherever they were cut.
    ///
    /// # Errors
    /// `body_not_json`, `body_too_complex`: as soon as it is certain, and for every piece after.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Reason> {
        if self.fault.is_none() {
            self.fault = self.read(piece).err();
        }
        self.verdict()
    }

    fn read(&mut self, piece: &[u8]) -> Result<(), Reason> {
        let mut rest = piece;
        while let Some(event) = self.syntax.next(&mut rest, self.walk.purpose())? {
            self.walk.event(event)?;
        }
        Ok(())
    }

    fn verdict(&self) -> Result<(), Reason> {
        match self.fault {
            Some(Reason::BodyNotJson) if !on(Check::StrictJson) => Ok(()),
            Some(fault) => Err(fault),
            None => Ok(()),
        }
    }

    /// Whether the body's last brace was read: only white space may follow.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.fault.is_none() && self.syntax.is_closed()
    }

    /// The member `model` of the body itself, if it was read already.
    #[must_use]
    pub fn model_so_far(&self) -> Option<&str> {
        self.walk.body().model.as_deref()
    }

    /// What the body asks for, once all of it was read.
    ///
    /// # Errors
    /// That of `push`; `body_not_json` if the body has not ended.
    pub fn finish(mut self) -> Result<Body, Reason> {
        if !self.syntax.is_closed() {
            self.fault = self.fault.or(Some(Reason::BodyNotJson));
        }
        self.verdict().map(|()| self.walk.into_body())
    }
}

impl Default for BodyScanner {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a scanner holds after these bytes, beside the texts that it found.
    fn held(pieces: &[&str]) -> usize {
        let mut scanner = BodyScanner::new();
        pieces.iter().for_each(|piece| scanner.push(piece.as_bytes()).unwrap());
        let heap = scanner.syntax.heap_bytes() + scanner.walk.heap_bytes();
        size_of::<BodyScanner>() - size_of::<Body>() + heap
    }

    #[test]
    fn a_scanner_is_small_and_bounded() {
        let chat = r#"{"model":"google/g","stream":true,"messages":[{"role":"user","content":[
            {"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"data:image/png,A"}}]},"#;
        let gemini = r#"{"generationConfig":{"temperature":1,"thinkingConfig":{"thinkingBudget":0}},
            "contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"#;
        for body in [chat, gemini] {
            assert!(held(&[body]) <= 2048, "{}", held(&[body]));
        }
        let list = |name: &str, entry: &str| {
            let entries: Vec<_> =
                (0..256).map(|index| entry.replace('0', &index.to_string())).collect();
            format!("\"{name}\":[{}],", entries.join(","))
        };
        let names =
            |count: usize| (0..count).map(|index| format!("\"n{index}\":0,")).collect::<String>();
        let mut body = "{".to_owned();
        for name in ["fileUri", "outputUri", "fileIds", "modelArmorConfig"] {
            body += &list(name, "\"0\"");
        }
        body += &list("requests", "{\"model\":\"0\"}");
        body += &list("tools", "{\"t0\":{}}");
        body += "\"x\":{\"tools\":{\"type\":\"function\",";
        body += &(0..256).map(|index| format!("\"t{index}\":0,")).collect::<String>();
        body += &format!("\"parameters\":{{{}\"x\":{}{{\"", names(3600), "[".repeat(122));
        let most = held(&[&body, &"x".repeat(5000), &"x".repeat(3000)]);
        assert!(most > 60_000 && most <= 65_536, "{most}");
    }
}
