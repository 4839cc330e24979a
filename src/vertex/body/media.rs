//! Estimates the tokens of images, sounds, videos and documents in base64. A model does not read
//! them as text, so their type says more than their length. Nothing is decoded; the estimate tends
//! to be too high, and is never more than the same bytes would take as text.

/// Media in a body, in base64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Media {
    /// Their length in base64, in bytes.
    pub bytes: u64,
    /// Their estimated tokens.
    pub tokens: u64,
}

/// A kind of media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaKind {
    Image,
    Audio,
    Video,
    Document,
    /// Read as text, or of an unknown kind.
    Other,
}

/// Bytes of base64 that count as a token of text.
const BYTES_A_TOKEN: u64 = 4;

/// Most tokens of an image by any documented model: Claude with high resolution, 4,784 (Claude API,
/// "Vision"). Gemini 2 takes 258 for each tile of 768 pixels, 16 of them at most, Gemini 3 1,120 by
/// default ("Image understanding", "Media resolution").
const MOST_OF_AN_IMAGE: u64 = 4_784;

/// Bytes of base64 a token of sound. Gemini takes 32 tokens a second ("Audio understanding"). At 16
/// kbit/s, which is low for speech, a second is 2,667 bytes of base64.
const BYTES_A_TOKEN_OF_AUDIO: u64 = 80;

/// Bytes of base64 a token of video. Gemini takes some 300 tokens a second ("Video understanding").
/// At 100 kbit/s, which is low, a second is 16,667 bytes of base64.
const BYTES_A_TOKEN_OF_VIDEO: u64 = 50;

/// Bytes of base64 a token of a document. Claude takes up to 3,000 tokens of text and an image a
/// page ("PDF support"), Gemini 258 to 560 ("Document understanding"). A page of text without
/// pictures has 48 KB of base64 or less, a scanned one has more.
const BYTES_A_TOKEN_OF_A_DOCUMENT: u64 = 16;

impl MediaKind {
    /// The kind of a media type (RFC 6838), whatever its parameters.
    pub(super) fn of_type(media_type: &str) -> Self {
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        let (kind, _) = media_type.split_once('/').unwrap_or_default();
        let is = |name: &str| kind.eq_ignore_ascii_case(name);
        match () {
            () if media_type.eq_ignore_ascii_case("application/pdf") => Self::Document,
            () if is("image") => Self::Image,
            () if is("audio") => Self::Audio,
            () if is("video") => Self::Video,
            () => Self::Other,
        }
    }

    const fn tokens(self, bytes: u64) -> u64 {
        let as_text = bytes.div_ceil(BYTES_A_TOKEN);
        match self {
            Self::Image if as_text > MOST_OF_AN_IMAGE => MOST_OF_AN_IMAGE,
            Self::Image | Self::Other => as_text,
            Self::Audio => bytes.div_ceil(BYTES_A_TOKEN_OF_AUDIO),
            Self::Video => bytes.div_ceil(BYTES_A_TOKEN_OF_VIDEO),
            Self::Document => bytes.div_ceil(BYTES_A_TOKEN_OF_A_DOCUMENT),
        }
    }
}

impl Media {
    /// Adds media of this many bytes of base64.
    pub(super) const fn add(&mut self, kind: MediaKind, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.tokens = self.tokens.saturating_add(kind.tokens(bytes));
    }

    /// Adds the media in a data URL (RFC 2397): what stands before its comma, and the bytes behind.
    pub(super) fn add_url(&mut self, head: &str, bytes: u64) {
        let (_, media_type) = head.split_once(':').unwrap_or_default();
        self.add(MediaKind::of_type(media_type), bytes);
    }
}

/// The length of a text, in bytes.
pub(super) fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_url(url: &str) -> Media {
        let mut media = Media::default();
        let (head, data) = url.split_once(',').unwrap_or_default();
        media.add_url(head, length(data));
        media
    }

    #[test]
    fn each_kind_has_its_measure_and_none_is_dearer_than_text() {
        let tokens = |media_type: &str, bytes| MediaKind::of_type(media_type).tokens(bytes);
        assert_eq!(tokens("image/png", 1_000), 250);
        assert_eq!(tokens("image/png", 2_000_000), 4_784);
        assert_eq!(tokens("audio/wav", 8_000_000), 100_000);
        assert_eq!(tokens("Video/MP4; codecs=x", 1_000_000), 20_000);
        assert_eq!(tokens("application/pdf", 1_600_000), 100_000);
        for text in ["text/plain", "application/json", "imagine", "", "image", "x/image"] {
            assert_eq!(tokens(text, 1_000), 250, "{text}");
        }
        for kind in [
            MediaKind::Image,
            MediaKind::Audio,
            MediaKind::Video,
            MediaKind::Document,
            MediaKind::Other,
        ] {
            for bytes in [0, 1, 3, 17, 1_000_000, u64::MAX] {
                assert!(kind.tokens(bytes) <= MediaKind::Other.tokens(bytes), "{kind:?} {bytes}");
            }
        }
    }

    #[test]
    fn a_data_url_says_what_it_holds() {
        let image = Media { bytes: 40_000, tokens: MOST_OF_AN_IMAGE };
        let text = Media { bytes: 40_000, tokens: 10_000 };
        let data = "A".repeat(40_000);
        for (head, want) in [
            ("data:image/png;base64,", image),
            ("DATA:Image/JPEG;x=1;base64,", image),
            ("data:text/plain;charset=utf-8,", text),
            ("data:,", text),
        ] {
            assert_eq!(of_url(&format!("{head}{data}")), want, "{head}");
        }
        assert_eq!(of_url(""), Media::default());
    }
}
