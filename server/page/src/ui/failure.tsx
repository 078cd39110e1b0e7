import type { ComponentChildren } from "preact";
import type { Problem } from "../problem.js";

interface FailureProps {
  title: string;
  problem: Problem;
  onRetry?: () => void;
  children?: ComponentChildren;
}

/** An error with buttons for what the user can do about it. */
export function Failure({ title, problem, onRetry, children }: FailureProps) {
  return (
    <div class="failure" role="alert">
      <h2>{title}</h2>
      <p>{problem.message}</p>
      <p class="row">
        {onRetry && (
          <button type="button" onClick={onRetry}>
            Try again
          </button>
        )}
        {children}
      </p>
    </div>
  );
}
