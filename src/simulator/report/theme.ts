/** Colours that tell pickers apart on either ground, for those who see few colours too (after Okabe and Ito, 2008). */
const LIGHT = ['#0072b2', '#d55e00', '#00875f', '#b9508a', '#b07800', '#3a9bd0', '#6a4c93', '#6b6b6b'];
const DARK = ['#4aa8e0', '#ff8a4c', '#35c79b', '#e79cc6', '#f2b84b', '#8fd0f7', '#b792d6', '#b0b0b0'];

/** The colour of the nth picker. There are eight; after them they begin again. */
export function colour(n: number): string {
  return `var(--picker-${n % LIGHT.length})`;
}

const variables = (colours: readonly string[], ink: string, paper: string, faint: string) =>
  [
    ...colours.map((value, n) => `--picker-${n}:${value}`),
    `--ink:${ink}`,
    `--paper:${paper}`,
    `--faint:${faint}`,
  ].join(';');

/** The variables that plots and page are coloured by, for whatever ground the reader has. */
export const THEME = [
  `:root{${variables(LIGHT, '#1d232a', '#ffffff', '#e4e7eb')};color-scheme:light dark}`,
  `@media (prefers-color-scheme:dark){:root{${variables(DARK, '#dfe4ea', '#14181d', '#333a43')}}}`,
].join('\n');
