import type { ComponentChildren } from "preact";
import { go } from "../route.js";

interface LinkProps {
  to: string;
  class?: string;
  children: ComponentChildren;
  "aria-label"?: string;
}

/** A link inside the page. A plain click navigates without a reload; others work as usual. */
export function Link({ to, children, ...rest }: LinkProps) {
  const follow = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button !== 0)
      return;
    event.preventDefault();
    go(to);
  };
  return (
    <a href={to} onClick={follow} {...rest}>
      {children}
    </a>
  );
}
