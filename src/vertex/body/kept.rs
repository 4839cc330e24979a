//! What is kept of a body, within bounds. A text that is in its list already is not kept again.

use memchr::memchr_iter;

use crate::error::Reason;
use crate::keyed_hash::KeyedHash;
use crate::vertex::body::Body;
use crate::vertex::body::address::{begins_as_address, is_address};
use crate::vertex::body::cap::CapMember;
use crate::vertex::body::field::Field;

/// Most entries of a list.
const MAX_ENTRIES: usize = 256;

/// Most bytes of all texts together.
const MAX_BYTES: usize = 32 * 1024;

/// The lists of texts.
#[derive(Clone, Copy, Debug)]
enum List {
    OtherModels,
    ModelsBeside,
    Tools,
    FileUris,
    StoredState,
    Secrets,
    OutputUris,
    ModelArmorTemplates,
}

/// A body, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) body: Body,
    /// A byte of a keyed hash of each text, list by list: only texts that share it are compared.
    prints: [Vec<u8>; 8],
    /// Texts whose object has not closed: whether they count is not known before.
    pending: Vec<Pending>,
    pending_texts: String,
    bytes: usize,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    list: List,
    /// Where its text ends in `pending_texts`.
    end: u16,
    /// Whether it counts only if its object is not typed.
    is_setting: bool,
}

impl Kept {
    /// What it holds on the heap beside the texts.
    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> usize {
        let prints: usize = self.prints.iter().map(Vec::capacity).sum();
        prints + self.pending.capacity() * size_of::<Pending>()
    }

    /// Takes a text at a place where it has an effect.
    pub(super) fn text(
        &mut self,
        place: Field,
        text: &str,
        keys: &KeyedHash,
    ) -> Result<(), Reason> {
        let list = match place {
            Field::Model => return self.single(text, |body| &mut body.model),
            Field::BaseModel => return self.single(text, |body| &mut body.base_model),
            Field::OperationName => return self.single(text, |body| &mut body.operation_name),
            Field::Answers => {
                self.answer_count(text.parse().ok());
                return Ok(());
            }
            Field::OutputLimit(at) => return self.limit(at, text.parse().ok()),
            Field::OtherModel => List::OtherModels,
            Field::ModelBeside => List::ModelsBeside,
            Field::MediaType if !is_address(text) => return Ok(()),
            Field::ReadUri
            | Field::DataOrUri
            | Field::Plain
            | Field::ToolSettings
            | Field::MediaType => List::FileUris,
            Field::Endpoint if !begins_as_address(text.as_bytes()) => {
                let host = text.trim_start_matches('/');
                return self.add(List::FileUris, &format!("https://{host}"), keys);
            }
            Field::Endpoint => List::FileUris,
            Field::WriteUri => List::OutputUris,
            Field::ItemId => return self.set_aside(List::StoredState, text),
            Field::SourceData => return self.set_aside(List::FileUris, text),
            Field::Secret => List::Secrets,
            Field::StoredState | Field::Environment => List::StoredState,
            // The others are names of Google's own, like `Kore`.
            Field::Voice if text.starts_with("voice") => List::StoredState,
            Field::ModelArmor => List::ModelArmorTemplates,
            Field::Tool => List::Tools,
            Field::ToolType if Field::is_callers_own(text) => return Ok(()),
            Field::ToolType => List::Tools,
            _ => return Ok(()),
        };
        self.add(list, text, keys)
    }

    fn single(
        &mut self,
        text: &str,
        of: fn(&mut Body) -> &mut Option<String>,
    ) -> Result<(), Reason> {
        self.make_room(text)?;
        *of(&mut self.body) = Some(text.to_owned());
        Ok(())
    }

    fn add(&mut self, list: List, text: &str, keys: &KeyedHash) -> Result<(), Reason> {
        let print = u8::try_from(keys.of_bytes(text.as_bytes()) & 0xff).unwrap_or_default();
        let (texts, prints) = self.list(list);
        let same = |index: usize| texts.get(index).is_some_and(|known| known == text);
        if memchr_iter(print, prints).any(same) {
            return Ok(());
        }
        self.make_room(text)?;
        let (texts, prints) = self.list(list);
        push(texts, text.to_owned())?;
        prints.push(print);
        Ok(())
    }

    const fn list(&mut self, list: List) -> (&mut Vec<String>, &mut Vec<u8>) {
        let Self { body, prints, .. } = self;
        let [models, beside, tools, files, state, secrets, outputs, templates] = prints;
        match list {
            List::OtherModels => (&mut body.other_models, models),
            List::ModelsBeside => (&mut body.models_beside, beside),
            List::Secrets => (&mut body.secrets, secrets),
            List::Tools => (&mut body.tools, tools),
            List::FileUris => (&mut body.file_uris, files),
            List::StoredState => (&mut body.stored_state, state),
            List::OutputUris => (&mut body.output_uris, outputs),
            List::ModelArmorTemplates => (&mut body.model_armor_templates, templates),
        }
    }

    fn make_room(&mut self, text: &str) -> Result<(), Reason> {
        self.bytes = self.bytes.saturating_add(text.len());
        if self.bytes > MAX_BYTES { Err(Reason::BodyTooComplex) } else { Ok(()) }
    }

    /// Takes a limit on output tokens. An unreadable number limits nothing, nor does zero, which
    /// some APIs read as no limit.
    pub(super) fn limit(&mut self, at: CapMember, tokens: Option<u64>) -> Result<(), Reason> {
        let limit = (at, tokens.filter(|tokens| *tokens > 0).unwrap_or(u64::MAX));
        if self.body.limits.contains(&limit) {
            return Ok(());
        }
        push(&mut self.body.limits, limit)
    }

    /// Takes the number of answers; an unreadable one may be any.
    pub(super) fn answer_count(&mut self, count: Option<u64>) {
        let count = count.unwrap_or(u64::MAX).max(1);
        let answers = self.body.answers.unwrap_or(1);
        self.body.answers = Some(answers.saturating_mul(count));
    }

    /// Number of texts that are pending.
    pub(super) const fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Takes the name of a tool whose value comes.
    pub(super) fn begin_tool(&mut self, name: &[u8]) -> Result<(), Reason> {
        let name = str::from_utf8(name).map_err(|_| Reason::BodyNotJson)?;
        self.pend(List::Tools, name, false)
    }

    /// Says whether the tool that came last is a setting if its object has a type.
    pub(super) fn end_tool(&mut self, is_setting: bool) {
        if let Some(tool) = self.pending.last_mut() {
            tool.is_setting = is_setting;
        }
    }

    /// Takes a text that counts unless its object turns out to be typed.
    fn set_aside(&mut self, list: List, text: &str) -> Result<(), Reason> {
        self.pend(list, text, true)
    }

    fn pend(&mut self, list: List, text: &str, is_setting: bool) -> Result<(), Reason> {
        self.make_room(text)?;
        self.pending_texts.push_str(text);
        let end = u16::try_from(self.pending_texts.len()).map_err(|_| Reason::BodyTooComplex)?;
        push(&mut self.pending, Pending { list, end, is_setting })
    }

    /// Takes the texts of an object that has closed: all but the first `outer` that are pending.
    pub(super) fn end_object(
        &mut self,
        outer: usize,
        typed: bool,
        keys: &KeyedHash,
    ) -> Result<(), Reason> {
        if self.pending.len() <= outer {
            return Ok(());
        }
        let closed = self.pending.split_off(outer);
        let start = self.pending.last().map_or(0, |text| usize::from(text.end));
        let texts = self.pending_texts.split_off(start);
        self.bytes = self.bytes.saturating_sub(texts.len());
        let mut from = 0;
        for Pending { list, end, is_setting } in closed {
            let to = usize::from(end).saturating_sub(start);
            // Beside a type, members that hold no object are its settings, and so are some objects.
            if !typed || !is_setting {
                self.add(list, texts.get(from..to).unwrap_or_default(), keys)?;
            }
            from = to;
        }
        Ok(())
    }
}

fn push<T>(list: &mut Vec<T>, entry: T) -> Result<(), Reason> {
    if list.len() == MAX_ENTRIES {
        return Err(Reason::BodyTooComplex);
    }
    list.push(entry);
    Ok(())
}
