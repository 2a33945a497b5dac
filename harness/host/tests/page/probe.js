// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// How the page looks: its colours, the text that is hardest to read, and what sticks out of it.
(() => {
  const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => {
      const s = v / 255;
      return s <= 0.03928 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const background = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = numbers(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const contrast = (element) => {
    const [a, b] = [numbers(getComputedStyle(element).color), background(element)]
      .map(luminance)
      .sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  const texts = [...document.body.querySelectorAll("*")].filter((element) =>
    element.checkVisibility() &&
    [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  const worst = texts
    .map((element) => ({ contrast: contrast(element), text: element.textContent.slice(0, 40) }))
    .sort((a, b) => a.contrast - b.contrast)[0];
  return {
    background: luminance(background(document.body)),
    texts: texts.length,
    worst,
    overflow: document.documentElement.scrollWidth - window.innerWidth,
  };
})()
