// Where a rule stands: its name for people, and its address.

/** A section on server-sent events of the HTML standard (WHATWG). */
export const html = (section: string, anchor: string) => ({
  name: `HTML, section ${section}`,
  url: `https://html.spec.whatwg.org/multipage/server-sent-events.html#${anchor}`,
});

/** A section of an RFC. */
export const rfc = (number: number, section: string) => ({
  name: `RFC ${number}, section ${section}`,
  url: `https://www.rfc-editor.org/rfc/rfc${number}#section-${section}`,
});
