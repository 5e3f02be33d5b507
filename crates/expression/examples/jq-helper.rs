//! The helper as a process of its own: reads jobs as JSON lines, writes answers. The tests start it
//! under limits of memory and time and give it hostile programs.

fn main() -> std::io::Result<()> {
    consort_expression::helper::serve(std::io::stdin().lock(), std::io::stdout().lock())
}
