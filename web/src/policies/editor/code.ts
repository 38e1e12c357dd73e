/**
 * The editor itself: CodeMirror with the words of Rhai. A chunk of its own, loaded by the editor's page alone.
 *
 * It lives in a shadow root: there its styles are constructed sheets, which the page's `default-src 'self'` lets pass; in the
 * document they would be a style element, which it does not.
 */

import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, type CompletionContext } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { bracketMatching, HighlightStyle, indentOnInput, indentUnit, StreamLanguage, syntaxHighlighting } from '@codemirror/language';
import { EditorState, RangeSet, StateEffect, StateField, Text } from '@codemirror/state';
import { Decoration, EditorView, gutter, GutterMarker, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import type { Definitions } from '../../wire';
import { complete } from './complete';
import { copyState, startState, token, type State } from './rhai';

/** Where the host says that something is wrong, from 1. */
export type Place = { line: number; column: number | null; message: string };

export type CodeEditor = {
  text(): string;
  /** Another text in its place, which can be undone. */
  replace(text: string): void;
  mark(place: Place | null): void;
  define(definitions: Definitions): void;
  /** Puts the cursor where something is wrong. */
  goTo(place: Place): void;
  focus(): void;
  destroy(): void;
};

export function codeEditor(host: HTMLElement, given: { text: string; label: string; onChange(text: string): void; onRun(): void }): CodeEditor {
  const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' });
  let definitions: Definitions | null = null;
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: given.text,
      extensions: [
        lineNumbers(),
        marked,
        gutter({ class: 'cm-problems', markers: (view) => view.state.field(marked).markers, initialSpacer: () => PROBLEM_SPACE }),
        highlightActiveLineGutter(),
        highlightActiveLine(),
        history(),
        rhai,
        indentUnit.of('    '),
        EditorState.tabSize.of(4),
        indentOnInput(),
        bracketMatching(),
        closeBrackets(),
        autocompletion({
          icons: false,
          override: [
            (context: CompletionContext) => {
              const found = complete(context.state.doc.toString(), context.pos, definitions, context.explicit);
              if (found === null) return null;
              const options = found.options.map(({ label, detail, info, type }) => ({ label, detail, type, ...(info === '' ? {} : { info }) }));
              return { from: found.from, options, validFor: /^[A-Za-z0-9_]*$/ };
            },
          ],
        }),
        keymap.of([{ key: 'Mod-Enter', run: () => (given.onRun(), true) }, ...closeBracketsKeymap, ...completionKeymap, ...historyKeymap, ...defaultKeymap]),
        syntaxHighlighting(colours),
        look,
        // On a phone there is no room to push lines sideways.
        matchMedia('(max-width: 720px)').matches ? EditorView.lineWrapping : [],
        EditorView.contentAttributes.of({ 'aria-label': given.label, tabindex: '0', spellcheck: 'false', autocapitalize: 'off', autocorrect: 'off' }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) given.onChange(update.state.doc.toString());
        }),
      ],
    }),
  });
  return {
    text: () => view.state.doc.toString(),
    replace: (text) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text }, selection: { anchor: 0 }, scrollIntoView: true }),
    mark: (place) => view.dispatch({ effects: mark.of(place) }),
    define: (found) => void (definitions = found),
    goTo(place) {
      const { from } = rangeOf(view.state.doc, place);
      view.dispatch({ selection: { anchor: from }, effects: EditorView.scrollIntoView(from, { y: 'center' }) });
      view.focus();
    },
    focus: () => view.focus(),
    destroy: () => view.destroy(),
  };
}

const rhai = StreamLanguage.define<State>({
  name: 'rhai',
  startState: () => startState(),
  copyState,
  token,
  indent: (state, after, context) => Math.max(0, state.depth - (/^\s*[}\])]/.test(after) ? 1 : 0)) * context.unit,
  languageData: { commentTokens: { line: '//', block: { open: '/*', close: '*/' } }, closeBrackets: { brackets: ['(', '[', '{', '"', '`'] }, indentOnInput: /^\s*[}\])]$/ },
  tokenTable: { definition: tags.definition(tags.function(tags.variableName)), function: tags.function(tags.variableName) },
});

const colours = HighlightStyle.define([
  { tag: tags.comment, color: 'var(--muted)', fontStyle: 'italic' },
  { tag: tags.keyword, color: 'var(--heldout)', fontWeight: '600' },
  { tag: tags.string, color: 'var(--good)' },
  { tag: [tags.number, tags.bool], color: 'var(--info)' },
  { tag: tags.function(tags.variableName), color: 'var(--accent)' },
  { tag: tags.definition(tags.function(tags.variableName)), color: 'var(--accent)', fontWeight: '700' },
  { tag: tags.propertyName, color: 'var(--warn)' },
]);

const look = EditorView.theme({
  '&': { height: '100%', color: 'var(--text)', backgroundColor: 'var(--surface)', fontSize: '13px' },
  '&.cm-focused': { outline: '2px solid var(--accent)', outlineOffset: '-2px' },
  '.cm-scroller': { overflow: 'auto', fontFamily: 'var(--mono)', lineHeight: '1.55' },
  '.cm-content': { caretColor: 'var(--accent)', padding: '8px 0' },
  '.cm-gutters': { backgroundColor: 'var(--sunken)', color: 'var(--muted)', borderRight: '1px solid var(--line)' },
  '.cm-activeLine': { backgroundColor: 'color-mix(in srgb, var(--accent-soft) 45%, transparent)' },
  '.cm-activeLineGutter': { backgroundColor: 'var(--accent-soft)', color: 'var(--text)' },
  '.cm-content ::selection, .cm-content::selection': { backgroundColor: 'color-mix(in srgb, var(--accent) 30%, transparent)' },
  '&.cm-focused .cm-matchingBracket': { backgroundColor: 'var(--accent-soft)', outline: '1px solid var(--accent)' },
  '&.cm-focused .cm-nonmatchingBracket': { backgroundColor: 'var(--bad-soft)' },
  '.cm-problems': { width: '14px' },
  '.cm-problem-mark': { color: 'var(--bad)', fontWeight: '700', textAlign: 'center', cursor: 'default' },
  '.cm-problem': { textDecoration: 'underline wavy var(--bad) 1.5px', textDecorationSkipInk: 'none', textUnderlineOffset: '3px', backgroundColor: 'var(--bad-soft)' },
  '.cm-problem-line': { backgroundColor: 'color-mix(in srgb, var(--bad-soft) 60%, transparent)' },
  '.cm-tooltip': { maxWidth: 'min(560px, 92vw)', border: '1px solid var(--line-strong)', borderRadius: '6px', backgroundColor: 'var(--surface)', color: 'var(--text)', boxShadow: 'var(--shadow-high)' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul': { fontFamily: 'var(--mono)', maxHeight: '14em', maxWidth: 'min(560px, 92vw)' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li': { display: 'flex', gap: '12px', justifyContent: 'space-between', padding: '2px 8px', lineHeight: '1.5' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { backgroundColor: 'var(--accent-soft)', color: 'var(--text)' },
  '.cm-completionMatchedText': { textDecoration: 'none', fontWeight: '700', color: 'var(--accent)' },
  '.cm-completionDetail': { marginLeft: '0', fontStyle: 'normal', color: 'var(--muted)', overflow: 'hidden', textOverflow: 'ellipsis' },
  '.cm-tooltip.cm-completionInfo': { padding: '6px 10px', whiteSpace: 'pre-wrap', fontSize: '12px' },
  '@media (max-width: 720px)': { '&': { fontSize: '12px' } },
});

class ProblemMark extends GutterMarker {
  constructor(readonly message: string) {
    super();
  }

  override eq(other: ProblemMark): boolean {
    return other.message === this.message;
  }

  override toDOM(): Node {
    const element = document.createElement('div');
    element.className = 'cm-problem-mark';
    element.textContent = '✕';
    element.title = this.message;
    element.setAttribute('aria-label', `Wrong here: ${this.message}`);
    element.setAttribute('role', 'img');
    return element;
  }
}

/** Holds the width of the gutter, so that the text does not move when something is wrong. */
const PROBLEM_SPACE = new (class extends GutterMarker {
  override toDOM(): Node {
    return document.createElement('div');
  }
})();

const mark = StateEffect.define<Place | null>();

type Marked = { decorations: RangeSet<Decoration>; markers: RangeSet<GutterMarker> };
const UNMARKED: Marked = { decorations: Decoration.none, markers: RangeSet.empty };

const marked = StateField.define<Marked>({
  create: () => UNMARKED,
  update(now, transaction) {
    // While one types, the mark stays with what it was about.
    let next = transaction.docChanged ? { decorations: now.decorations.map(transaction.changes), markers: now.markers.map(transaction.changes) } : now;
    for (const effect of transaction.effects) if (effect.is(mark)) next = effect.value === null ? UNMARKED : markedAt(transaction.state.doc, effect.value);
    return next;
  },
  provide: (field) => EditorView.decorations.from(field, (marked) => marked.decorations),
});

function markedAt(doc: Text, place: Place): Marked {
  const { from, to, line } = rangeOf(doc, place);
  const under = Decoration.mark({ class: 'cm-problem', attributes: { title: place.message } });
  const whole = Decoration.line({ class: 'cm-problem-line' });
  return {
    decorations: Decoration.set([whole.range(line), ...(to > from ? [under.range(from, to)] : [])], true),
    markers: RangeSet.of([new ProblemMark(place.message).range(line)]),
  };
}

/** From the place to the end of the word there; the whole line where no column is known. Columns count letters, as a person does. */
function rangeOf(doc: Text, { line: number, column }: Place): { from: number; to: number; line: number } {
  const line = doc.line(Math.min(Math.max(1, number), doc.lines));
  const start = /^\s*/.exec(line.text)?.[0].length ?? 0;
  const at = column === null ? start : Math.min([...line.text].slice(0, column - 1).join('').length, line.text.length);
  const rest = line.text.slice(at);
  const length = column === null ? rest.trimEnd().length : (/^\w+/.exec(rest)?.[0].length ?? Math.min(1, rest.length));
  // A place behind the end of its line marks the last letter.
  const from = length === 0 && at > 0 ? at - 1 : at;
  return { from: line.from + from, to: line.from + Math.max(at + length, from + (line.text.length > from ? 1 : 0)), line: line.from };
}
