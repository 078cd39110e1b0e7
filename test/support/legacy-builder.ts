/** Builds the container that torch.save wrote before PyTorch 1.6. */
import {
  bytes,
  type Code,
  dict,
  FALSE,
  int,
  join,
  list,
  long1,
  pickle,
  str,
  TRUE,
} from "./pickle-builder.js";
import { struct } from "./zip-builder.js";

export interface LegacyStorage {
  key: string;
  /** The number of elements that the file states */
  count: number;
  data: Buffer;
}

export interface LegacyOptions {
  magic?: Buffer;
  protocol?: Code;
  system?: Code;
  keys?: Code;
  littleEndian?: boolean;
}

const MAGIC = bytes(0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19);

export function legacy(
  root: Buffer,
  storages: LegacyStorage[] = [],
  options: LegacyOptions = {},
): Buffer {
  const { littleEndian = true } = options;
  return join(
    options.magic ?? pickle(long1(MAGIC)),
    options.protocol ?? pickle(int(1001)),
    options.system ??
      pickle(
        dict(
          [str("protocol_version"), int(1001)],
          [str("little_endian"), littleEndian ? TRUE : FALSE],
        ),
      ),
    root,
    options.keys ?? pickle(list(...storages.map(({ key }) => str(key)))),
    ...storages.flatMap(({ count, data }) => {
      const size = struct([count, 8]);
      return [littleEndian ? size : size.reverse(), data];
    }),
  );
}
