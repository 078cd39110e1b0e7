/** Bodies of this API have at most 20 members. */
const MAX_MEMBERS = 100;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

/**
 * Whether a text of JSON has too many members in all of its objects. To parse them and to list
 * their names takes a quarter of a second for a body of 1 MiB; to count them, a few milliseconds.
 */
export function hasTooManyMembers(json: string): boolean {
  let members = 0;
  let inText = false;
  for (let i = 0; i < json.length; i++) {
    const code = json.charCodeAt(i);
    if (inText && code === BACKSLASH) i++;
    else if (code === QUOTE) inText = !inText;
    else if (code === COLON && !inText && ++members > MAX_MEMBERS) return true;
  }
  return false;
}
