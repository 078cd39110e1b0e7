import { bytes, day, loss } from "../format.js";
import { modelAddress } from "../route.js";
import type { ModelEntry } from "../types.js";
import { Icon } from "../ui/icons.js";
import { Link } from "../ui/link.js";
import { type SortField, sortBy } from "./query.js";
import { ask, query } from "./state.js";

export function ModelTable({ models }: { models: readonly ModelEntry[] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: keyboard users must be able to scroll it
    <section class="table-scroll" aria-label="Models as a table" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <Head field="name">Name</Head>
            <th scope="col">Tags</th>
            <Head field="nActiveComponents" numeric>
              Sliders
            </Head>
            <Head field="finalValLoss" numeric>
              Loss
            </Head>
            <Head field="fileSizeBytes" numeric>
              Size
            </Head>
            <Head field="trainingDate">Trained</Head>
            <Head field="saveDate">Saved</Head>
          </tr>
        </thead>
        <tbody>
          {models.map((model) => (
            <tr key={model.modelId}>
              <th scope="row">
                <Link to={modelAddress(model.modelId)}>{model.name}</Link>
              </th>
              <td>{model.tags.join(", ")}</td>
              <td class="numeric">{model.hasAnalysis ? model.nActiveComponents : "none"}</td>
              <td class="numeric">{loss(model.finalValLoss, model.trainingEpochs)}</td>
              <td class="numeric">{bytes(model.fileSizeBytes)}</td>
              <td>{day(model.trainingDate)}</td>
              <td>{day(model.saveDate)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

interface HeadProps {
  field: SortField;
  numeric?: boolean;
  children: string;
}

function Head({ field, numeric = false, children }: HeadProps) {
  const { sort, order } = query.value;
  const isSorted = sort === field;
  return (
    <th
      scope="col"
      class={numeric ? "numeric" : undefined}
      aria-sort={isSorted ? (order === "asc" ? "ascending" : "descending") : undefined}
    >
      <button type="button" class="quiet" onClick={() => ask(sortBy(query.value, field))}>
        {children}
        {isSorted && <Icon name={order === "asc" ? "up" : "down"} />}
      </button>
    </th>
  );
}
