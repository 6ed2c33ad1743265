/** Themes come as text, because only one at a time may be in force; `bundle.ts` sees to it. */
declare module '*/theme.css' {
  const text: string;
  export default text;
}
/** All other style sheets go into `app.css`. */
declare module '*.css';
declare module '*/style/index.js';
