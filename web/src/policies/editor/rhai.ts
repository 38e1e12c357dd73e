/** The words of Rhai, one after the other: enough to colour a script and to indent it. The host alone says what is right. */

export type State = {
  /** Inside of a block comment, how deep; of a text between backticks; or of a hole `${}` in one, with the braces open in it. */
  inside: ({ in: 'comment'; depth: number } | { in: 'template' } | { in: 'hole'; braces: number })[];
  /** Brackets that are open, for indenting. */
  depth: number;
  /** What the word before was, where it says what the next one is. */
  after: '' | 'fn' | '.';
};

export function startState(): State {
  return { inside: [], depth: 0, after: '' };
}

export function copyState(state: State): State {
  return { ...state, inside: state.inside.map((one) => ({ ...one })) };
}

export const KEYWORDS = ['let', 'const', 'if', 'else', 'switch', 'do', 'while', 'until', 'loop', 'for', 'in', 'continue', 'break', 'return', 'throw', 'try', 'catch', 'fn', 'private', 'is', 'this'];
const WORDS = new Set(KEYWORDS);

/** What a stream of one line offers here. */
export type Line = {
  match(pattern: RegExp): unknown;
  next(): string | void;
  peek(): string | undefined | void;
  eol(): boolean;
  eatSpace(): boolean;
  skipToEnd(): void;
  current(): string;
};

/** Reads one word and names it. None is for what has no colour of its own. */
export function token(line: Line, state: State): string | null {
  const inside = state.inside.at(-1);
  if (inside?.in === 'comment') return comment(line, state, inside);
  if (inside?.in === 'template') return template(line, state);
  if (line.eatSpace()) return null;
  const { after } = state;
  state.after = '';
  if (line.match(/^\/\//)) {
    line.skipToEnd();
    return 'comment';
  }
  if (line.match(/^\/\*/)) {
    const opened = { in: 'comment' as const, depth: 1 };
    state.inside.push(opened);
    return comment(line, state, opened);
  }
  if (line.match(/^"(?:[^"\\]|\\.)*"?/) || line.match(/^'(?:[^'\\]|\\.)*'?/)) return 'string';
  if (line.match(/^`/)) {
    state.inside.push({ in: 'template' });
    return template(line, state);
  }
  if (line.match(/^(?:0x[0-9a-fA-F_]+|0b[01_]+|0o[0-7_]+|[0-9][0-9_]*(?:\.[0-9][0-9_]*)?(?:[eE][+-]?[0-9]+)?)/)) return 'number';
  if (line.match(/^[A-Za-z_][A-Za-z0-9_]*/)) {
    const word = line.current();
    if (after === '.') return line.match(/^(?=\s*\()/) === null ? 'propertyName' : 'function';
    if (after === 'fn') return 'definition';
    if (word === 'true' || word === 'false') return 'bool';
    if (WORDS.has(word)) {
      if (word === 'fn') state.after = 'fn';
      return 'keyword';
    }
    if (line.match(/^(?=\s*\()/) !== null) return 'function';
    return line.match(/^(?=\s*:(?!:))/) === null ? 'variableName' : 'propertyName';
  }
  if (line.match(/^\.\./)) return 'operator';
  if (line.match(/^\??\./)) {
    state.after = '.';
    return 'operator';
  }
  if (line.match(/^(?:#\{|[{[(])/)) {
    state.depth += 1;
    if (inside?.in === 'hole' && line.current().endsWith('{')) inside.braces += 1;
    return 'bracket';
  }
  if (line.match(/^\}/)) {
    if (inside?.in === 'hole') {
      inside.braces -= 1;
      if (inside.braces === 0) {
        state.inside.pop();
        return 'string';
      }
    }
    state.depth = Math.max(0, state.depth - 1);
    return 'bracket';
  }
  if (line.match(/^[\])]/)) {
    state.depth = Math.max(0, state.depth - 1);
    return 'bracket';
  }
  if (line.match(/^[-+*/%=<>!&|^~?]+/)) return 'operator';
  line.next();
  return null;
}

function comment(line: Line, state: State, opened: { depth: number }): string {
  while (!line.eol()) {
    if (line.match(/^\/\*/)) opened.depth += 1;
    else if (line.match(/^\*\//)) {
      opened.depth -= 1;
      if (opened.depth === 0) {
        state.inside.pop();
        break;
      }
    } else line.next();
  }
  return 'comment';
}

function template(line: Line, state: State): string {
  while (!line.eol()) {
    if (line.match(/^``/)) continue;
    if (line.match(/^`/)) {
      state.inside.pop();
      break;
    }
    if (line.match(/^\$\{/)) {
      state.inside.push({ in: 'hole', braces: 1 });
      break;
    }
    line.next();
  }
  return 'string';
}
