/** Files and folders that are dropped or chosen, walked through. */

export interface Picked {
  /** Path below what was dropped, such as `1342182452/level2/PSW.fits`. */
  path: string;
  file: File;
}

/** All files of what was dropped, those within folders too. */
export async function dropped(data: DataTransfer): Promise<Picked[]> {
  // Entries have to be taken before anything is awaited: the list is empty then.
  const items = [...data.items].filter((item) => item.kind === 'file');
  const entries = items.map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const found: Picked[] = [];
  for (const { entry, file } of entries) {
    if (entry) found.push(...(await walked(entry, '')));
    else if (file) found.push({ path: file.name, file });
  }
  return found;
}

async function walked(entry: FileSystemEntry, above: string): Promise<Picked[]> {
  const path = above + entry.name;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    return [{ path, file }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: Picked[] = [];
  for (;;) {
    // A folder is read in parts, until there is nothing more.
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (part.length === 0) return found;
    for (const one of part) found.push(...(await walked(one, path + '/')));
  }
}

/** Files of an `<input type="file">`, with the paths that a chosen folder gives them. */
export function chosen(files: FileList | null): Picked[] {
  return [...(files ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
}

/** Names of the files and folders at the top. */
export function tops(picked: readonly Picked[]): string[] {
  return [...new Set(picked.map((one) => one.path.split('/', 1)[0] as string))];
}

export function sizeOf(picked: readonly Picked[]): number {
  return picked.reduce((sum, one) => sum + one.file.size, 0);
}
