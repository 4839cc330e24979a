//! The routes of Vertex AI that are allowed, from `routes.txt`; all others are refused. A row has a
//! request's class and method, Google's permissions for it, and where the model is named.

use once_cell::sync::Lazy;

use crate::vertex::CapMember;
use crate::vertex::alphabet::Alphabet;

/// Most names in one path.
pub(super) const MAX_NAMES: usize = 6;

/// Headers that a row can keep from leaving: HAProxy's rules name each one.
const DROPPED: [&str; 1] = ["anthropic-beta"];

/// The class of a route, by what it can do; roles grant each on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Asks a model and stores nothing.
    Inference,
    /// Names state that Google keeps for the project: caches, jobs, files, operations.
    Stateful,
    /// Changes what the project serves, or who may use it.
    Admin,
}

/// The place of the model's name in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModelPlace {
    /// In the path.
    Path,
    /// In this member of the body.
    Body(&'static str),
    /// Nowhere: no model is asked.
    None,
}

/// The kind of a name in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variable {
    /// A Google project's id or number.
    Project,
    /// A location.
    Location,
    /// A publisher of models.
    Publisher,
    /// A publisher's model.
    Model,
    /// A deployed or tuned model's endpoint.
    Endpoint,
    /// Any other resource.
    Id,
}

/// A part of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Compared exactly.
    Literal(&'static str),
    /// A name.
    Variable(Variable),
}

/// What an answer reports of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tokens {
    /// A model generates it and reports its tokens.
    Generated,
    /// It takes tokens if it reports any.
    Used,
    /// It counts tokens without taking any.
    Counted,
    /// It reports none.
    None,
}

impl Tokens {
    /// The word in the table and in `haproxy-vertex routes --json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generated => "generated",
            Self::Used => "used",
            Self::Counted => "counted",
            Self::None => "none",
        }
    }

    const ALL: [Self; 4] = [Self::Generated, Self::Used, Self::Counted, Self::None];
}

/// One row of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Route {
    /// Its class.
    pub class: Class,
    /// The method as roles and log lines name it: after its class and a `/`, except for inference.
    pub method: String,
    /// Google's IAM permissions for it; empty if Google does not document them.
    pub permissions: Vec<&'static str>,
    /// The versions of the API that have it.
    pub versions: Vec<&'static str>,
    /// The HTTP method.
    pub http_method: &'static str,
    /// The place of the model's name.
    pub model: ModelPlace,
    /// Whether the answer is always streamed, as events if the caller asks for them. A body can ask
    /// for a stream of other routes, too.
    pub streams: bool,
    /// What an answer reports of tokens.
    pub tokens: Tokens,
    /// The members of a body that limit the tokens of an answer.
    pub caps: Vec<CapMember>,
    /// `gen_ai.operation.name` (OpenTelemetry's conventions for generative AI).
    pub operation: Option<&'static str>,
    /// A header of the caller's that Google refuses there, so that it does not leave.
    pub without: Option<&'static str>,
    /// The path after the version, as the table has it.
    pub path: &'static str,
    pub(super) segments: Vec<Segment>,
    pub(super) verb: &'static str,
}

/// The names in a path, in their order; empty where there are fewer.
pub(super) type PathNames<'u> = [&'u str; MAX_NAMES];

/// The table as a tree: a literal segment is tried before a variable one, without backtracking.
#[derive(Debug, Default)]
struct Node {
    literals: Vec<(&'static str, Self)>,
    variable: Option<(Variable, Box<Self>)>,
    routes: Vec<usize>,
}

/// The way of a path through the table.
#[derive(Clone, Copy)]
pub(super) struct Walk<'u> {
    node: &'static Node,
    names: PathNames<'u>,
    count: usize,
}

#[derive(Debug, Default)]
struct RouteTable {
    routes: Vec<Route>,
    root: Node,
}

/// The parsed table; empty if `routes.txt` has a fault, which a test rules out.
static TABLE: Lazy<RouteTable> = Lazy::new(|| RouteTable::parse(ROWS).unwrap_or_default());

#[cfg(not(feature = "faults"))]
const ROWS: &str = include_str!("routes.txt");
#[cfg(feature = "faults")]
const ROWS: &str =
    concat!(include_str!("routes.txt"), include_str!("../../tests/made_up_routes.txt"));

/// Every route.
#[must_use]
pub fn routes() -> &'static [Route] {
    &TABLE.routes
}

/// `gen_ai.operation.name` of this method; the method's own name if OpenTelemetry has none.
#[must_use]
pub fn operation_of(method: &str) -> &str {
    let route = routes().iter().find(|route| route.method == method);
    route.and_then(|route| route.operation).unwrap_or(method)
}

impl Route {
    /// Whether a request can have a body: those that only read or delete have none.
    #[must_use]
    pub fn takes_body(&self) -> bool {
        !matches!(self.http_method, "GET" | "DELETE")
    }

    /// Whether a body can limit output tokens.
    #[must_use]
    pub fn takes_cap(&self) -> bool {
        !self.caps.is_empty()
    }

    /// Whether an answer is read for its tokens.
    #[must_use]
    pub fn is_metered(&self) -> bool {
        self.tokens != Tokens::None
    }

    /// Whether Google charges nothing: it only counts tokens, or only reads.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.http_method == "GET" || self.tokens == Tokens::Counted
    }

    /// The route of a path after its version, and the names in it.
    pub(super) fn find<'u>(
        http_method: &str,
        version: &str,
        path: &'u str,
    ) -> Option<(&'static Self, PathNames<'u>)> {
        let (resource, verb) = Self::split_verb(path)?;
        let mut walk = Walk::new();
        let mut start = 0;
        let ends = memchr::memchr_iter(b'/', resource.as_bytes()).chain([resource.len()]);
        for end in ends {
            walk.step(resource.get(start..end)?)?;
            start = end + 1;
        }
        walk.route(http_method, version, verb)
    }

    /// Splits a path's verb off; it is empty if the path has none.
    pub(super) fn split_verb(path: &str) -> Option<(&str, &str)> {
        match path.rsplit_once(':') {
            Some((_, "")) => None,
            Some((resource, verb)) if !verb.contains('/') => Some((resource, verb)),
            _ => Some((path, "")),
        }
    }

    fn parse(line: &'static str) -> Option<Self> {
        let line = line.split_once(" #").map_or(line, |(row, _)| row);
        let mut columns = line.split_whitespace();
        let mut column = || columns.next();
        let class = match column()? {
            "inference" => Class::Inference,
            "stateful" => Class::Stateful,
            "admin" => Class::Admin,
            _ => return None,
        };
        let name = column()?;
        let method = match class {
            Class::Inference => name.to_owned(),
            Class::Stateful => format!("stateful/{name}"),
            Class::Admin => format!("admin/{name}"),
        };
        let permissions = column()?.split(',').filter(|permission| *permission != "?").collect();
        let versions = column()?.split(',').collect();
        let http_method = column()?;
        let model = match column()? {
            "path" => ModelPlace::Path,
            "none" => ModelPlace::None,
            place => ModelPlace::Body(place.strip_prefix("body:")?),
        };
        let streams = match column()? {
            "stream" => true,
            "whole" => false,
            _ => return None,
        };
        let tokens = column()?;
        let tokens = Tokens::ALL.into_iter().find(|known| known.name() == tokens)?;
        let caps = match column()? {
            "-" => Vec::new(),
            caps => caps.split(',').map(CapMember::of_column).collect::<Option<_>>()?,
        };
        // A cap needs generated tokens.
        if !caps.is_empty() && tokens != Tokens::Generated {
            return None;
        }
        let operation = Some(column()?).filter(|name| *name != "-");
        let without = match column()? {
            "-" => None,
            name => Some(DROPPED.into_iter().find(|known| *known == name)?),
        };
        let path = column()?;
        let (resource, verb) = path.rsplit_once(':').unwrap_or((path, ""));
        let segments = resource.strip_prefix('/')?.split('/').map(Segment::parse).collect();
        let complete = column().is_none();
        let route = Self {
            class,
            method,
            permissions,
            versions,
            http_method,
            model,
            streams,
            tokens,
            caps,
            operation,
            without,
            path,
            segments,
            verb,
        };
        complete.then_some(route)
    }
}

impl Segment {
    fn parse(text: &'static str) -> Self {
        match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            None => Self::Literal(text),
            Some("project") => Self::Variable(Variable::Project),
            Some("location") => Self::Variable(Variable::Location),
            Some("publisher") => Self::Variable(Variable::Publisher),
            Some("model") => Self::Variable(Variable::Model),
            Some("endpoint") => Self::Variable(Variable::Endpoint),
            Some(_) => Self::Variable(Variable::Id),
        }
    }
}

/// Whether `name` can be a project's or a location's.
#[must_use]
pub fn is_place_name(name: &str) -> bool {
    Variable::Project.fits(name) && Variable::Location.fits(name)
}

impl Variable {
    /// Whether `text` is a valid name of this kind. Google's own limits are wider only for
    /// resources that are not in the table.
    pub(super) fn fits(self, text: &str) -> bool {
        let alphabet = match self {
            Self::Project | Self::Location | Self::Publisher | Self::Endpoint => Alphabet::Lower,
            Self::Model => Alphabet::Model,
            Self::Id => Alphabet::Id,
        };
        (1..=super::MAX_NAME_BYTES).contains(&text.len())
            && text.bytes().all(|byte| alphabet.has(byte))
            && !matches!(text, "." | "..")
    }
}

impl<'u> Walk<'u> {
    /// Before the first segment.
    pub(super) fn new() -> Self {
        Self { node: &TABLE.root, names: [""; MAX_NAMES], count: 0 }
    }

    /// Takes the next segment; `None` if no route has it.
    #[inline]
    pub(super) fn step(&mut self, segment: &'u str) -> Option<()> {
        self.node = match self.node.literals.iter().find(|(literal, _)| *literal == segment) {
            Some((_, next)) => next,
            None => {
                let (variable, next) = self.node.variable.as_ref()?;
                *self.names.get_mut(self.count)? = segment;
                self.count += 1;
                let reserved = *variable == Variable::Publisher && segment == "endpoints";
                if reserved { None } else { Some(next) }?
            }
        };
        Some(())
    }

    /// The route that ends here, and the names on the way.
    #[inline]
    pub(super) fn route(
        self,
        http_method: &str,
        version: &str,
        verb: &str,
    ) -> Option<(&'static Route, PathNames<'u>)> {
        let mut routes = self.node.routes.iter().filter_map(|index| TABLE.routes.get(*index));
        let route = routes.find(|route| {
            route.verb == verb
                && route.http_method == http_method
                && route.versions.contains(&version)
        })?;
        Some((route, self.names))
    }
}

impl RouteTable {
    fn parse(text: &'static str) -> Option<Self> {
        let rows = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        let routes: Vec<Route> = rows.map(Route::parse).collect::<Option<_>>()?;
        let mut root = Node::default();
        for (index, route) in routes.iter().enumerate() {
            let mut node = &mut root;
            for segment in &route.segments {
                node = node.child(*segment)?;
            }
            node.routes.push(index);
        }
        Some(Self { routes, root })
    }
}

impl Node {
    /// The node for `segment`; `None` if two kinds of names would share a place.
    fn child(&mut self, segment: Segment) -> Option<&mut Self> {
        match segment {
            Segment::Literal(literal) => {
                let known = self.literals.iter().position(|(name, _)| *name == literal);
                let at = known.unwrap_or_else(|| {
                    self.literals.push((literal, Self::default()));
                    self.literals.len() - 1
                });
                self.literals.get_mut(at).map(|(_, node)| node)
            }
            Segment::Variable(variable) => {
                let (known, node) = self.variable.get_or_insert_with(|| (variable, Box::default()));
                (*known == variable).then_some(node)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_no_fault() {
        let table = RouteTable::parse(ROWS).expect("a table");
        assert!(table.routes.len() > 20);
        for route in &table.routes {
            let names = |s: &&Segment| matches!(s, Segment::Variable(_));
            assert!(route.segments.iter().filter(names).count() <= MAX_NAMES, "{}", route.path);
            assert_eq!(route.class == Class::Inference, !route.method.contains('/'));
        }
    }

    #[test]
    fn a_row_that_is_not_one_is_a_fault() {
        let row = "inference predict ? v1 POST path whole used - - - /projects/{project}/x:predict";
        assert!(RouteTable::parse(row).is_some());
        for broken in [
            "inference predict ? v1 POST path whole used - - -",
            "inference predict ? v1 POST path /x",
            "inference predict ? v1 POST path whole used - - - /x more",
            "other predict ? v1 POST path whole used - - - /x",
            "inference predict ? v1 POST elsewhere whole used - - - /x",
            "inference predict ? v1 POST path half used - - - /x",
            "inference predict ? v1 POST path whole some - - - /x",
            "inference predict ? v1 POST path whole generated maxTokens - - /x",
            "inference predict ? v1 POST path whole used max_tokens - - /x",
            "inference predict ? v1 POST path whole used - - cookie /x",
            "inference a ? v1 POST path whole used - - - /{model}\n\
             inference b ? v1 POST path whole used - - - /{endpoint}",
        ] {
            assert!(RouteTable::parse(broken).is_none(), "{broken}");
        }
    }
}
