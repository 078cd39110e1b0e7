/** What `statfs` says about the disk decides whether an upload is read. */
import { expect, test, vi } from "vitest";
import { checkRoom } from "../src/upload-folder.js";

const disk = { bavail: 0, blocks: 0, bsize: 4096 };
vi.mock("node:fs/promises", async (original) => ({
  ...(await original<typeof import("node:fs/promises")>()),
  statfs: async () => disk,
}));

test.each([
  ["of unknown size", { bavail: 0, blocks: 0 }, true],
  ["that is full", { bavail: 0, blocks: 100 }, false],
  ["with just enough room", { bavail: 2, blocks: 100 }, true],
  ["with too little room", { bavail: 1, blocks: 100 }, false],
])("a disk %s", async (_, state, isRead) => {
  Object.assign(disk, state);
  const checked = checkRoom("/anywhere", 8192);
  if (isRead) await expect(checked).resolves.toBeUndefined();
  else await expect(checked).rejects.toMatchObject({ status: 507 });
});
