//! Reading the project's own C.

/// C, or Rust that has no other comments than C, without them; line by line.
pub fn without_comments(source: &str) -> String {
    let mut code = String::new();
    let mut rest = source;
    while let Some((before, comment)) = rest.split_once('/') {
        code += before;
        if let Some(comment) = comment.strip_prefix('*') {
            rest = comment.split_once("*/").expect("a comment that ends").1;
        } else if comment.starts_with('/') {
            // Its text may have the signs of the other kind.
            rest = &comment[comment.find('\n').unwrap_or(comment.len())..];
        } else {
            code.push('/');
            rest = comment;
        }
    }
    code + rest
}
