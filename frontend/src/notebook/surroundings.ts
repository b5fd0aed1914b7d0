/** The theme of the program that shows the notebook. */

/** Dark, light, or null where it does not say. */
function theme(): boolean | null {
  for (const element of [document.body, document.documentElement]) {
    const { jpThemeLight, vscodeThemeKind, theme } = element.dataset;
    if (jpThemeLight) return jpThemeLight === 'false';
    if (vscodeThemeKind) return /dark|^vscode-high-contrast$/.test(vscodeThemeKind);
    if (theme === 'dark' || theme === 'light') return theme === 'dark';
  }
  return null;
}

/** Follow it until the returned function is called. */
export function followTheme(changed: (dark: boolean | null) => void): () => void {
  changed(theme());
  const observer = new MutationObserver(() => changed(theme()));
  const attributeFilter = ['data-jp-theme-light', 'data-vscode-theme-kind', 'data-theme'];
  for (const element of [document.body, document.documentElement]) {
    observer.observe(element, { attributes: true, attributeFilter });
  }
  return () => observer.disconnect();
}
