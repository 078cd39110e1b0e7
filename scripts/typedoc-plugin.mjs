/**
 * A plugin of TypeDoc. It gives each export a category, which the folder of its source decides, and
 * makes links of the exported names that the front page has in backticks.
 */
import { Comment, CommentTag, Converter } from "typedoc";

/** The first pattern that matches the package and path of the source decides. */
const CATEGORIES = [
  [/^small-dataset-audio-server\//, "Server"],
  [/\/lib\/base\/errors\.ts$/, "Errors"],
  [/\/lib\/library\//, "Library"],
  [/\/lib\/audio\/|\/lib\/model\/(mel-picture|reproduce|sidecar|sidecar-fields)\.ts$/, "Sound"],
  [/\/lib\/(torch|values)\//, "Torch files"],
  [/\/lib\//, "Models"],
];

/** After TypeDoc's own listeners, which read the front page. */
const LATE = -1000;

export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => resolve(project), LATE);
}

function resolve(project) {
  const exports = project.children.flatMap(({ children }) => children ?? []);
  for (const exported of exports) {
    exported.comment ??= new Comment();
    const text = categoryOf(project.getSymbolIdFromReflection(exported), exported.name);
    exported.comment.blockTags.push(new CommentTag("@category", [{ kind: "text", text }]));
  }
  project.readme = project.readme.map((part) => {
    const target = exports.find(({ name }) => part.kind === "code" && part.text === `\`${name}\``);
    return target ? { kind: "inline-tag", tag: "@link", text: part.text, target } : part;
  });
}

function categoryOf(symbol, name) {
  const path = `${symbol?.packageName}/${symbol?.packagePath}`;
  const found = CATEGORIES.find(([pattern]) => pattern.test(path));
  if (found === undefined) throw new Error(`${name} of ${path} has no category`);
  return found[1];
}
