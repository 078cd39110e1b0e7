import { bytes, count, day, duration, generationLabel } from "../format.js";
import { modelAddress } from "../route.js";
import type { ModelEntry } from "../types.js";
import { Link } from "../ui/link.js";

export function Cards({ models }: { models: readonly ModelEntry[] }) {
  return (
    <ul class="cards">
      {models.map((model) => (
        <li key={model.modelId}>
          <Card model={model} />
        </li>
      ))}
    </ul>
  );
}

function Card({ model }: { model: ModelEntry }) {
  return (
    <article class="card">
      <h2>
        <Link to={modelAddress(model.modelId)}>{model.name}</Link>
      </h2>
      <p class="description">{model.description}</p>
      {model.tags.length > 0 && (
        <ul class="tags" aria-label="Tags">
          {model.tags.map((tag) => (
            <li key={tag}>{tag}</li>
          ))}
        </ul>
      )}
      <p class="facts">
        <span>{model.hasAnalysis ? count(model.nActiveComponents, "slider") : "no sliders"}</span>
        {model.datasetFileCount > 0 && (
          <span>
            {count(model.datasetFileCount, "sound")}, {duration(model.datasetTotalDurationS)}
          </span>
        )}
        {model.generation !== null && (
          <span>{generationLabel(model.generation, model.vocoder)}</span>
        )}
        <span>{bytes(model.fileSizeBytes)}</span>
        <span>{day(model.saveDate)}</span>
      </p>
    </article>
  );
}
