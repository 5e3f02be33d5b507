# What jq has and jaq lacks, or does otherwise. Natives with a leading `!` are ours.

def toarray: if isarray then . else [.] end;

# jq leaves alone what is not a string.
def ltrimstr($x): if isstring and ($x | isstring) then ltrimstr_($x) end;
def rtrimstr($x): if isstring and ($x | isstring) then rtrimstr_($x) end;
def trimstr($x): ltrimstr($x) | rtrimstr($x);

def IN(s): any(s == .; .);
def IN(src; s): any(src == s; .);
def INDEX(stream; f): reduce stream as $row ({}; . + {($row | f | tostring): $row});
def INDEX(f): INDEX(.[]; f);
def ascii: [.] | implode;
def have_literal_numbers: true;
def have_decnum: false;

def date: todate;
def dateadd(u; n): . + n;
def datesub(u; n): . - n;

# jq takes more names for keys and values.
def from_entries: reduce .[] as $x ({};
    . + {($x | (if .key == null then .k // .name // .Name // .K // .Key else .key end)
             | if isstring then . else tojson end):
         ($x | if has("value") then .value elif has("v") then .v else .Value end)});
def with_entries(f): to_entries | map(f) | from_entries;

def leaf_paths: paths(scalars);
def tostream: path(def r: (.[]? | r), .; r) as $p
    | getpath($p) | reduce path(.[]?) as $q ([$p, .]; [$p + $q]);

def csv_cell_(separator): if isnumber or isboolean then tojson
    elif . == null then ""
    elif isstring then separator
    else error("only scalars can stand in a row, not \(type)") end;
def @csv: map(csv_cell_("\"\(split("\"") | join("\"\""))\"")) | join(",");
def @tsv: map(csv_cell_(split("\\") | join("\\\\") | split("\t") | join("\\t")
    | split("\n") | join("\\n") | split("\r") | join("\\r"))) | join("\t");

# In linear time; jaq's own copy the sum at every step.
def add: add_;
def add(f): [f] | add_;
def join($s): join_($s);

# Without the JSON reader, which recurses.
def tonumber: tonumber_;

# Updates of what is not there yet. `prepare_` goes before every assignment.
def prepare_(f): reduce path(f) as $p (.; ensure_($p));
def setpath($path; $x): if $path == [] then $x else ensure_($path) | getpath($path) = $x end;
def delpaths($paths): reduce ($paths | sort | reverse[]) as $p (.; delpath_($p));
def del(f): delpaths([path(f)]);
