//! The routes of Vertex AI that pass, as `routes.txt` lists them: all others are refused. A row
//! says what a request does (class, method), with which of Google's permissions, and where the
//! model is named.

use once_cell::sync::Lazy;

use crate::vertex::CapMember;

/// The most names that stand in one path.
pub(super) const MAX_NAMES: usize = 6;

/// What a route can do, and so how it is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Asks a model; nothing stays behind.
    Inference,
    /// Names state that Google keeps for the project: caches, jobs, files, operations.
    Stateful,
    /// Changes what the project serves, or who may use it.
    Admin,
}

/// Where a request says which model it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModelPlace {
    /// In the path.
    Path,
    /// In this member of the body.
    Body(&'static str),
    /// Nowhere: it is not for a model.
    None,
}

/// A name in a path.
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

/// What an answer says of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tokens {
    /// A model writes it, which takes tokens, and it says how many.
    Generated,
    /// It takes tokens where it says so.
    Used,
    /// It counts tokens, and takes none.
    Counted,
    /// Nothing.
    None,
}

impl Tokens {
    /// As the table and `haproxy-vertex routes --json` write it.
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
    /// The method as roles and log lines name it: with its class before a `/`, but for inference.
    pub method: String,
    /// Google's IAM permissions for it; empty where Google does not say.
    pub permissions: Vec<&'static str>,
    /// The versions of the API that have it.
    pub versions: Vec<&'static str>,
    /// The HTTP method.
    pub http_method: &'static str,
    /// Where the model is named.
    pub model: ModelPlace,
    /// Whether an answer comes in pieces, as events if the caller asks so. A body may ask for
    /// pieces of others, too.
    pub streams: bool,
    /// What an answer says of tokens.
    pub tokens: Tokens,
    /// The members of a body that limit the tokens of an answer.
    pub caps: Vec<CapMember>,
    /// `gen_ai.operation.name` (OpenTelemetry's conventions for generative AI).
    pub operation: Option<&'static str>,
    /// The path behind the version, as the table has it.
    pub path: &'static str,
    pub(super) segments: Vec<Segment>,
    pub(super) verb: &'static str,
}

/// The names in a path, in their order; those that are not there are empty.
pub(super) type PathNames<'u> = [&'u str; MAX_NAMES];

/// The table, as a tree: a literal segment comes before a variable one, and nothing goes back.
#[derive(Debug, Default)]
struct Node {
    literals: Vec<(&'static str, Self)>,
    variable: Option<(Variable, Box<Self>)>,
    routes: Vec<usize>,
}

#[derive(Debug, Default)]
struct RouteTable {
    routes: Vec<Route>,
    root: Node,
}

/// A table with a fault routes nothing; a test sees to it that there is none.
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

/// `gen_ai.operation.name` of the method with this name; its own name where OpenTelemetry has none.
#[must_use]
pub fn operation_of(method: &str) -> &str {
    let route = routes().iter().find(|route| route.method == method);
    route.and_then(|route| route.operation).unwrap_or(method)
}

impl Route {
    /// Whether a request has a body: those that only read or delete have none.
    #[must_use]
    pub fn takes_body(&self) -> bool {
        !matches!(self.http_method, "GET" | "DELETE")
    }

    /// Whether a body can limit the tokens of an answer.
    #[must_use]
    pub fn takes_cap(&self) -> bool {
        !self.caps.is_empty()
    }

    /// Whether an answer is read for its tokens.
    #[must_use]
    pub fn is_metered(&self) -> bool {
        self.tokens != Tokens::None
    }

    /// Whether Google asks nothing for it: tokens are only counted, or something is only looked at.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.http_method == "GET" || self.tokens == Tokens::Counted
    }

    /// The route of a path behind its version, and the names in it.
    pub(super) fn find<'u>(
        http_method: &str,
        version: &str,
        path: &'u str,
    ) -> Option<(&'static Self, PathNames<'u>)> {
        let (resource, verb) = match path.rsplit_once(':') {
            Some((_, "")) => return None,
            Some((resource, verb)) if !verb.contains('/') => (resource, verb),
            _ => (path, ""),
        };
        let mut node = &TABLE.root;
        let mut names: PathNames<'u> = [""; MAX_NAMES];
        let mut places = names.iter_mut();
        for segment in resource.split('/') {
            node = match node.literals.iter().find(|(literal, _)| *literal == segment) {
                Some((_, next)) => next,
                None => {
                    let (variable, next) = node.variable.as_ref()?;
                    *places.next()? = segment;
                    let reserved = *variable == Variable::Publisher && segment == "endpoints";
                    if reserved { None } else { Some(next) }?
                }
            };
        }
        let mut routes = node.routes.iter().filter_map(|index| TABLE.routes.get(*index));
        let route = routes.find(|route| {
            route.verb == verb
                && route.http_method == http_method
                && route.versions.contains(&version)
        })?;
        Some((route, names))
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
        // What has a cap has tokens to cap.
        if !caps.is_empty() && tokens != Tokens::Generated {
            return None;
        }
        let operation = Some(column()?).filter(|name| *name != "-");
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

impl Variable {
    /// Whether `text` is such a name. Google's own limits are wider only for resources that are
    /// not in the table.
    pub(super) fn fits(self, text: &str) -> bool {
        let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let model = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'@');
        let id = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
        let allowed: fn(u8) -> bool = match self {
            Self::Project | Self::Location | Self::Publisher | Self::Endpoint => lower,
            Self::Model => model,
            Self::Id => id,
        };
        (1..=super::MAX_NAME_BYTES).contains(&text.len())
            && text.bytes().all(allowed)
            && !matches!(text, "." | "..")
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
    /// The node behind `segment`; nothing where two kinds of names would stand in one place.
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
        let row = "inference predict ? v1 POST path whole used - - /projects/{project}/x:predict";
        assert!(RouteTable::parse(row).is_some());
        for broken in [
            "inference predict ? v1 POST path whole used - -",
            "inference predict ? v1 POST path /x",
            "inference predict ? v1 POST path whole used - - /x more",
            "other predict ? v1 POST path whole used - - /x",
            "inference predict ? v1 POST elsewhere whole used - - /x",
            "inference predict ? v1 POST path half used - - /x",
            "inference predict ? v1 POST path whole some - - /x",
            "inference predict ? v1 POST path whole generated maxTokens - /x",
            "inference predict ? v1 POST path whole used max_tokens - /x",
            "inference a ? v1 POST path whole used - - /{model}\n\
             inference b ? v1 POST path whole used - - /{endpoint}",
        ] {
            assert!(RouteTable::parse(broken).is_none(), "{broken}");
        }
    }
}
