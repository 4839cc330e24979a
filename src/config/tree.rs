//! The file's JSON as it was written: members in their order, repeated ones included. The types of
//! `raw` are deserialized from it, with messages in JSON's terms, and a fault can be mended, so
//! that the next one is found.

use std::fmt;

use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer as _,
    MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

/// A JSON value.
#[derive(Debug)]
pub(super) enum Tree {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
    /// Replaces a wrong or missing value; it deserializes to whatever is expected.
    Mended,
    /// Replaces an unknown member, which is ignored.
    Removed,
}

impl Tree {
    fn noun(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(_) => "a text".to_owned(),
            Self::List(_) => "a list [...]".to_owned(),
            Self::Object(_) => "an object {...}".to_owned(),
            Self::Mended | Self::Removed => String::new(),
        }
    }

    fn is_not(&self, wanted: &str) -> Fault {
        let problem = format!("{wanted} is wanted, not {}", self.noun());
        Fault { path: Vec::new(), kind: FaultKind::Value(problem) }
    }

    fn child(&self, position: usize) -> Option<&Self> {
        match self {
            Self::List(elements) => elements.get(position),
            Self::Object(members) => members.get(position).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The depth down to which a path exists, and whether the value there is made up.
    pub(super) fn depth(&self, path: &[usize]) -> (usize, bool) {
        let (mut tree, mut depth) = (self, 0_usize);
        for position in path {
            let Some(child) = tree.child(*position) else {
                break;
            };
            tree = child;
            depth = depth.saturating_add(1);
        }
        (depth, matches!(tree, Self::Mended))
    }

    /// The value at the end of a path.
    pub(super) fn at(&mut self, path: &[usize]) -> Option<&mut Self> {
        path.iter().try_fold(self, |tree, position| match tree {
            Self::List(elements) => elements.get_mut(*position),
            Self::Object(members) => members.get_mut(*position).map(|(_, value)| value),
            _ => None,
        })
    }

    /// Converts a path to a JSON pointer.
    pub(super) fn pointer(&self, path: &[usize]) -> String {
        let (mut tree, mut pointer) = (self, String::new());
        for position in path {
            pointer.push('/');
            match tree {
                Self::Object(members) => {
                    let name = members.get(*position).map_or("", |(name, _)| name);
                    pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
                }
                _ => pointer.push_str(&position.to_string()),
            }
            tree = tree.child(*position).unwrap_or(&Self::Mended);
        }
        pointer
    }

    /// Converts a JSON pointer to a path, as far as it exists; paths sort in the order of the file.
    pub(super) fn path(&self, pointer: &str) -> Vec<usize> {
        let (mut tree, mut path) = (self, Vec::new());
        for token in pointer.split('/').skip(1) {
            let position = match tree {
                Self::Object(members) => {
                    let name = token.replace("~1", "/").replace("~0", "~");
                    members.iter().position(|(member, _)| *member == name)
                }
                _ => token.parse().ok(),
            };
            let Some((position, child)) = position.and_then(|at| Some((at, tree.child(at)?)))
            else {
                break;
            };
            path.push(position);
            tree = child;
        }
        path
    }

    /// Deserializes a whole number.
    fn number<T: TryFrom<u64> + TryFrom<i64>>(&self, wanted: &str) -> Result<T, Fault> {
        let number = match self {
            Self::Number(number) => number,
            Self::Mended => return T::try_from(0_u64).map_err(|_| self.is_not(wanted)),
            _ => return Err(self.is_not(wanted)),
        };
        let unsigned = number.as_u64().and_then(|number| T::try_from(number).ok());
        let signed = || number.as_i64().and_then(|number| T::try_from(number).ok());
        unsigned.or_else(signed).ok_or_else(|| self.is_not(wanted))
    }

    fn text(&self) -> Result<&str, Fault> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Mended => Ok(""),
            _ => Err(self.is_not("a text \"...\"")),
        }
    }
}

/// A mismatch between a tree and the expected type, and its path: indexes of elements and members,
/// the innermost first.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) path: Vec<usize>,
    pub(super) kind: FaultKind,
}

#[derive(Debug)]
pub(super) enum FaultKind {
    /// A value of another type, or not among the valid ones.
    Value(String),
    /// An unknown member, and the known ones.
    Unknown(&'static [&'static str]),
    /// A repeated member.
    Twice,
    /// A missing member.
    Missing(&'static str),
}

impl Fault {
    fn new(kind: FaultKind) -> Self {
        Self { path: Vec::new(), kind }
    }

    fn below(mut self, position: usize) -> Self {
        self.path.push(position);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            FaultKind::Value(problem) => f.write_str(problem),
            FaultKind::Unknown(known) => f.write_str(&unknown_member(known)),
            FaultKind::Twice => f.write_str("it stands twice; leave one of them"),
            FaultKind::Missing(member) => write!(f, "`{member}` is missing"),
        }
    }
}

fn unknown_member(known: &[&str]) -> String {
    format!("no such member is known here: one of {} is wanted", names(known))
}

fn names(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(problem: T) -> Self {
        Self::new(FaultKind::Value(problem.to_string()))
    }

    // Only types with a `Deserialize` of their own come here, and their message is complete.
    fn invalid_type(_: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::custom(format_args!("{wanted} is wanted"))
    }

    fn unknown_variant(value: &str, known: &'static [&'static str]) -> Self {
        let known = known.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        Self::custom(format_args!("\"{value}\": one of {known} is wanted"))
    }

    fn unknown_field(_: &str, known: &'static [&'static str]) -> Self {
        // Members that start with $ are for editors.
        Self::new(FaultKind::Unknown(match known {
            ["$schema", known @ ..] => known,
            known => known,
        }))
    }

    fn missing_field(member: &'static str) -> Self {
        Self::new(FaultKind::Missing(member))
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Tree, E> {
        let number = serde_json::Number::from_f64(value);
        number.map(Tree::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        Ok(Tree::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Tree::Object(members))
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty, $wanted:literal;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            visitor.$visit(self.number::<$type>($wanted)?)
        })*
    };
}

impl<'de> Deserializer<'de> for &'de Tree {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Tree::Null => visitor.visit_unit(),
            Tree::Bool(value) => visitor.visit_bool(*value),
            Tree::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), ..) => visitor.visit_u64(number),
                (_, Some(number), _) => visitor.visit_i64(number),
                (.., number) => visitor.visit_f64(number.unwrap_or_default()),
            },
            Tree::Text(text) => visitor.visit_str(text),
            Tree::List(_) | Tree::Mended | Tree::Removed => self.deserialize_seq(visitor),
            Tree::Object(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Tree::Bool(value) => visitor.visit_bool(*value),
            Tree::Mended => visitor.visit_bool(true),
            _ => Err(self.is_not("true or false")),
        }
    }

    numbers! {
        deserialize_u16 visit_u16 u16, "a whole number of at most 65535";
        deserialize_u32 visit_u32 u32, "a whole number of at most 4294967295";
        deserialize_u64 visit_u64 u64, "a whole number";
        deserialize_i64 visit_i64 i64, "a whole number";
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Tree::Null | Tree::Mended => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Tree::List(elements) => visitor.visit_seq(Elements { elements, position: 0 }),
            Tree::Mended => visitor.visit_seq(Elements { elements: &[], position: 0 }),
            _ => Err(self.is_not("a list [...]")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Tree::Object(members) => visitor.visit_map(Members { members, position: 0 }),
            Tree::Mended => visitor.visit_map(Members { members: &[], position: 0 }),
            _ => Err(self.is_not("an object {...}")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        members: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self {
            Tree::Mended => visitor.visit_map(All(members)),
            _ => self.deserialize_map(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        // An enum's variants are all texts or all objects with one member; any variant tells which.
        let some = variants.first().copied().unwrap_or_default();
        let listed = |name: &str| variants.iter().find(|variant| **variant == name).copied();
        let (variant, given) = match self {
            Tree::Text(text) => (listed(text).unwrap_or(some), Given::Text(text)),
            Tree::Object(members) => match present(members).collect::<Vec<_>>().as_slice() {
                [(position, (name, value))] => {
                    let unknown = FaultKind::Value(unknown_member(variants));
                    let variant =
                        listed(name).ok_or_else(|| Fault::new(unknown).below(*position))?;
                    (variant, Given::Member(*position, value))
                }
                _ => return Err(one_member_of(variants)),
            },
            Tree::Mended => (some, Given::Member(0, self)),
            _ => (some, Given::Other(self)),
        };
        visitor.visit_enum(Variant { variant, given, variants })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct
        identifier
    }
}

fn present(members: &[(String, Tree)]) -> impl Iterator<Item = (usize, &(String, Tree))> {
    members.iter().enumerate().filter(|(_, (_, value))| !matches!(value, Tree::Removed))
}

struct Elements<'de> {
    elements: &'de [Tree],
    position: usize,
}

impl<'de> SeqAccess<'de> for Elements<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        let Some(element) = self.elements.get(self.position) else {
            return Ok(None);
        };
        let position = self.position;
        self.position = position.saturating_add(1);
        seed.deserialize(element).map(Some).map_err(|fault| fault.below(position))
    }
}

struct Members<'de> {
    members: &'de [(String, Tree)],
    position: usize,
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let next = present(self.members).find(|(position, _)| *position >= self.position);
        let Some((position, (name, _))) = next else {
            return Ok(None);
        };
        self.position = position;
        let former = self.members.get(..position).unwrap_or_default();
        if present(former).any(|(_, (former, _))| former == name) {
            return Err(Fault::new(FaultKind::Twice).below(position));
        }
        let key = seed.deserialize(name.as_str().into_deserializer());
        key.map(Some).map_err(|fault: Fault| fault.below(position))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let position = self.position;
        self.position = position.saturating_add(1);
        let (_, value) = self
            .members
            .get(position)
            .ok_or_else(|| Fault::new(FaultKind::Value("a member without value".to_owned())))?;
        seed.deserialize(value).map_err(|fault| fault.below(position))
    }
}

/// The members of an object that is made up.
struct All(&'static [&'static str]);

impl<'de> MapAccess<'de> for All {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        match self.0 {
            [] => Ok(None),
            [first, others @ ..] => {
                self.0 = others;
                seed.deserialize((*first).into_deserializer()).map(Some)
            }
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        seed.deserialize(&Tree::Mended)
    }
}

/// An enum's variant in the file.
struct Variant<'de> {
    variant: &'static str,
    given: Given<'de>,
    variants: &'static [&'static str],
}

enum Given<'de> {
    Text(&'de str),
    /// The only member of an object.
    Member(usize, &'de Tree),
    Other(&'de Tree),
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        let variant = seed.deserialize(self.variant.into_deserializer())?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.given {
            Given::Text(text) if text == self.variant => Ok(()),
            Given::Text(text) => Err(de::Error::unknown_variant(text, self.variants)),
            Given::Member(_, Tree::Mended) => Ok(()),
            Given::Member(..) => Err(de::Error::custom("a text \"...\" is wanted, not an object")),
            Given::Other(tree) => Err(tree.is_not("a text \"...\"")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        match self.given {
            Given::Member(position, value) => {
                seed.deserialize(value).map_err(|fault| fault.below(position))
            }
            Given::Text(_) | Given::Other(_) => Err(one_member_of(self.variants)),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Fault> {
        Err(one_member_of(self.variants))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Fault> {
        Err(one_member_of(self.variants))
    }
}

fn one_member_of(known: &[&str]) -> Fault {
    let known = names(known);
    de::Error::custom(format_args!("an object {{...}} with one member of {known} is wanted"))
}
