/**
 * What a terminal or a log would act on instead of showing it: control characters (C0, DEL, C1), the separators of lines
 * and paragraphs, marks that turn the direction of text (Unicode's bidirectional formatting characters), and lone
 * surrogates.
 */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Bidi_Control}\ufeff]/gu;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Text from outside, a reply, an error or a value of a registry, as one line that may be printed: what a terminal would
 * act on is escaped as in JavaScript, `\n`, `\x1b`, `\u2028`.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => SHORT[character] ?? escaped(character.charCodeAt(0)));
}

function escaped(code: number): string {
  const hex = code.toString(16);
  return code < 0x100 ? `\\x${hex.padStart(2, '0')}` : `\\u${hex.padStart(4, '0')}`;
}
